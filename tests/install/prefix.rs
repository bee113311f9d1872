//! Prefixes that the library is installed in, each in a temporary directory. Cargo builds it for all of them in one
//! place, below the target directory, so that this costs little the second time.

use crate::support::command::command;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use tempfile::TempDir;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo builds what is installed.
pub fn cargo_target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed")
}

/// Builds in that place, and what the script lays out there, are one test's at a time.
pub fn building() -> MutexGuard<'static, ()> {
    static BUILDING: Mutex<()> = Mutex::new(());
    BUILDING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A command for a tool, if that is here.
pub fn tool(name: &str) -> Result<Command, String> {
    match command(name).arg("--version").output() {
        Ok(_) => Ok(command(name)),
        Err(error) => Err(format!("no {name}: {error}")),
    }
}

/// Whether Rust's own libraries for that target are here.
pub fn rust_for(target: &str) -> Result<(), String> {
    let libraries = run(command("rustc").args(["--print", "target-libdir", "--target", target]));
    if Path::new(libraries.trim()).is_dir() { Ok(()) } else { Err(format!("no Rust for {target}")) }
}

/// Runs a command, which must succeed, and returns what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy);
    assert!(output.status.success(), "{command:?}: {}\n{}{}", output.status, said[0], said[1]);
    said[0].clone().into_owned()
}

/// A command that finds nothing by its environment that the test did not put there.
pub fn clean(mut command: Command) -> Command {
    for name in
        ["LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH", "CPATH", "LIBRARY_PATH", "DESTDIR"]
    {
        command.env_remove(name);
    }
    command
}

pub struct Prefix {
    directory: TempDir,
    /// With a space, which other tools must quote.
    name: &'static str,
    /// Where the libraries are in it.
    libraries: String,
}

impl Prefix {
    fn fresh() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), name: "first place", libraries: "lib".to_owned() }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join(self.name)
    }

    /// Installed by CMake; an error means that there is no CMake.
    pub fn by_cmake() -> Result<Self, String> {
        tool("cmake")?;
        let prefix = Self::fresh();
        let build = tempfile::tempdir().unwrap();
        let cmake = || clean(command("cmake"));
        let _alone = building();
        run(cmake().arg("-S").arg(root().join("cmake")).arg("-B").arg(build.path()).args([
            "-DCMAKE_INSTALL_LIBDIR=lib".into(),
            format!("-DSHMRR_CARGO_TARGET_DIR={}", cargo_target().display()),
        ]));
        run(cmake().arg("--build").arg(build.path()));
        run(cmake().arg("--install").arg(build.path()).arg("--prefix").arg(prefix.path()));
        Ok(prefix)
    }

    pub fn by_script() -> Self {
        let prefix = Self::fresh();
        let _alone = building();
        let mut script = clean(command(root().join("install.sh")));
        run(script.arg("--prefix").arg(prefix.path()).env("CARGO_TARGET_DIR", cargo_target()));
        prefix
    }

    /// From packages for Debian; an error means that they can't be made here.
    pub fn by_packages() -> Result<Self, String> {
        tool("dpkg-deb")?;
        let packages = tempfile::tempdir().unwrap();
        let _alone = building();
        let mut script = clean(command(root().join("packaging/deb.sh")));
        run(script.arg("--out").arg(packages.path()).env("CARGO_TARGET_DIR", cargo_target()));
        let prefix =
            Self { libraries: format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH), ..Self::fresh() };
        for entry in fs::read_dir(packages.path()).unwrap() {
            run(command("dpkg-deb").arg("-x").arg(entry.unwrap().path()).arg(prefix.path()));
        }
        Ok(prefix)
    }

    /// By cargo-c; an error means that this is not here.
    pub fn by_cargo_c() -> Result<Self, String> {
        let mut cargo = clean(command("cargo"));
        let version = cargo.args(["cinstall", "--version"]).output().map_err(|error| error.to_string())?;
        if !version.status.success() {
            return Err("no cargo-c".to_owned());
        }
        // Its shmrr.pc names the prefix as it is, spaces and all.
        let prefix = Self { name: "place", ..Self::fresh() };
        let _alone = building();
        let mut cargo = clean(command("cargo"));
        cargo.args(["cinstall", "--locked", "-p", "shmrr", "--libdir", "lib", "--prefix"]).arg(prefix.path());
        run(cargo.current_dir(root()).arg("--target-dir").arg(cargo_target().join("cargo-c")));
        Ok(prefix)
    }

    pub fn libraries(&self) -> PathBuf {
        self.path().join(&self.libraries)
    }

    /// The same files in another place.
    pub fn moved(self) -> Self {
        let moved = Self { name: "second place", ..self };
        fs::rename(moved.directory.path().join("first place"), moved.path()).unwrap();
        moved
    }

    /// What is in it: the content of each file, and of each link where it leads to.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.path()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let content = match fs::read_link(&path) {
                    Ok(target) => OsStr::as_bytes(target.as_os_str()).to_vec(),
                    Err(error) if error.kind() == ErrorKind::InvalidInput => fs::read(&path).unwrap(),
                    Err(error) => panic!("{}: {error}", path.display()),
                };
                files.insert(path.strip_prefix(self.path()).unwrap().to_owned(), content);
            }
        }
        files
    }
}
