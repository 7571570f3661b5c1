//! Logs on disk.

mod settings;

pub use settings::StoreSettings;
