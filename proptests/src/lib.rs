//! Models and generators that the property tests under `tests/` share.
