//! The binary `gracchus-sim`.

fn main() {}
