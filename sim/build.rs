//! Lists the marks that there are, and where each is set: the lines of the core that name it, outside of its tests.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let core = Path::new("../core/src");
    println!("cargo::rerun-if-changed={}", core.display());
    let declared = fs::read_to_string(core.join("boundary/effects.rs"))?;
    let variants = declared.lines().skip_while(|line| *line != "pub enum Mark {").skip(1).take_while(|line| *line != "}");
    let names = variants.filter_map(|line| line.trim().strip_suffix(',')).filter(|name| name.chars().all(|each| each.is_ascii_alphanumeric()));
    let mut files = Vec::new();
    collect(core, &mut files)?;
    files.sort();
    let mut places = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let shown = file.strip_prefix("..").unwrap_or(&file).display();
        // Tests in a file of their own are left out by its name.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (line, number) in code.lines().zip(1..) {
            for named in line.split("Mark::").skip(1) {
                let name: String = named.chars().take_while(char::is_ascii_alphanumeric).collect();
                places.push((name, format!("{shown}:{number}")));
            }
        }
    }
    let mut table = String::from("&[\n");
    for name in names {
        let of_mark: Vec<&str> = places.iter().filter(|(named, _)| named == name).map(|(_, place)| place.as_str()).collect();
        writeln!(table, "    ({name:?}, &{of_mark:?}),").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo says where to"))?;
    fs::write(PathBuf::from(out).join("mark_places.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_of_tests = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_of_tests {
            collect(&path, files)?;
        } else if !is_of_tests && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
