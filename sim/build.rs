//! Finds where each mark is set: the lines of the core that name it, outside of its tests.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let core = Path::new("../core/src");
    println!("cargo::rerun-if-changed={}", core.display());
    let mut files = Vec::new();
    collect(core, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let text = fs::read_to_string(&file)?;
        let shown = file.strip_prefix("..").unwrap_or(&file).display();
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
        for (line, number) in code.zip(1..) {
            for named in line.split("Mark::").skip(1) {
                let name: String = named.chars().take_while(|character| character.is_ascii_alphanumeric()).collect();
                writeln!(table, "    ({name:?}, \"{shown}:{number}\"),").map_err(io::Error::other)?;
            }
        }
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo says where to"))?;
    fs::write(PathBuf::from(out).join("mark_places.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
