//! What the tests of this folder share: where the built binary, its plugins, the goldens and the miniature lie, and
//! how to run the real `mgie` in a fresh folder.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::OnceLock;

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The folder that cargo builds into, where `mgie` and the plugins lie: the one this test runs from.
pub fn build_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.parent().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default()
}

/// A file under `tests/goldens`.
pub fn golden(name: &str) -> PathBuf {
    repository().join("tests/goldens").join(name)
}

/// The models that the goldens were recorded with.
pub fn miniature() -> PathBuf {
    repository().join("tests/miniature")
}

/// The real `mgie`, with the plugins beside it, the user's own settings out of the way and the miniature as its models;
/// `home` stands in for the user's folders.
///
/// # Panics
/// Where the binary is not built.
pub fn mgie(home: &Path) -> Command {
    let binary = build_folder().join(format!("mgie{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.is_file(),
        "{} is not built: run `cargo build --release --workspace` before the tests",
        binary.display()
    );
    let mut command = Command::new(binary);
    for name in ["MGIE_PLUGIN_PATH", "MGIE_LOG"] {
        command.env_remove(name);
    }
    command.env("MGIE_MODELS", miniature());
    command.env("HOME", home).env("XDG_DATA_HOME", home.join("data")).env("XDG_CACHE_HOME", home.join("cache"));
    command.current_dir(home);
    command
}

/// A `mgie` that goes on while a test looks: it tells of its nodes, and is killed where the test fails meanwhile.
#[derive(Debug)]
pub struct Begun {
    /// The process.
    pub child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
impl Begun {
    /// Begins a command.
    pub fn new(command: &mut Command) -> Self {
        let mut child = command.env("MGIE_LOG", "mgie=info").stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log }
    }

    /// Waits until it denoises, the next time: soon on one machine, late on another.
    pub fn denoises(&mut self) {
        let began = self.log.any(|line| line.is_ok_and(|line| line.contains("started") && line.contains("denoise")));
        assert!(began, "the denoiser never began");
    }

    /// Interrupts it, as Ctrl-C does.
    pub fn interrupt(&self) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
    }

    /// Waits for its end: its code, and what it said after what was heard already.
    pub fn end(&mut self) -> (Option<i32>, Vec<String>) {
        let said = self.log.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Where it has ended, there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Standard error of a finished command.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output of a finished command.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The libraries of `tests/plugins`, built on first use: `older`, `wrong_major`, `faulty`.
///
/// # Panics
/// Where cargo cannot build them.
pub fn test_plugin(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let target = build_folder().join("test-plugins");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(repository().join("tests/plugins/Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target)
            .output();
        match built {
            Ok(output) if output.status.success() => target.join("release"),
            Ok(output) => panic!("the test plugins do not build:\n{}", stderr(&output)),
            Err(error) => panic!("cargo does not run: {error}"),
        }
    });
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    folder.join(format!("{prefix}{name}_plugin{suffix}"))
}

/// Relative root mean square of the difference: √(Σ(a−b)² / Σb²), with `b` the reference.
///
/// # Panics
/// Where the lengths differ.
pub fn relative_rms(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "lengths differ: found {}, expected {}", a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum();
    let reference: f64 = b.iter().map(|&y| f64::from(y).powi(2)).sum();
    (difference / reference.max(f64::MIN_POSITIVE)).sqrt()
}
