//! The real window, on a screen that nobody sees (Xvfb, with Mesa's OpenGL in software). Where there is no Xvfb the test says
//! so and passes, except where `MGIE_TEST_SCREEN` is set, as in CI, which installs it. With `MGIE_PICTURES=folder` it leaves a
//! picture there: README's `graphs/studio.png`.

use crate::desk::Desk;
use crate::x11::{self, Keyboard};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const SIZE: [usize; 2] = [1440, 900];
const PATIENCE: Duration = Duration::from_secs(90);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The pixels of Xvfb's framebuffer file, an XWD: a header of big-endian words, a colour map, then 32 bits a pixel. RGB.
fn pixels(file: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(file).ok()?;
    let word = |index: usize| Some(u32::from_be_bytes(bytes.get(index * 4..index * 4 + 4)?.try_into().ok()?) as usize);
    let (header, width, height) = (word(0)?, word(4)?, word(5)?);
    let (line, colours) = (word(12)?, word(19)?);
    // Xvfb makes the file before it fills it.
    if [width, height] != SIZE {
        return None;
    }
    let begin = header + colours * 12;
    let rows = (0..height).map(|row| bytes.get(begin + row * line..begin + row * line + width * 4));
    let mut rgb = Vec::with_capacity(width * height * 3);
    for row in rows {
        rgb.extend(row?.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]));
    }
    Some(rgb)
}

/// How many different colours are on the screen: an empty one has few.
fn colours(rgb: &[u8]) -> usize {
    rgb.chunks_exact(3).collect::<std::collections::HashSet<_>>().len()
}

fn save(rgb: &[u8], path: &Path) {
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, SIZE[0] as u32, SIZE[1] as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.write_header().unwrap().write_image_data(rgb).unwrap();
}

/// A screen that nobody sees.
struct Screen {
    number: u32,
    framebuffer: PathBuf,
    began: Instant,
    _xvfb: Running,
}

impl Screen {
    /// One whose pixels lie in a folder of the desk; none where there is no Xvfb.
    fn begin(desk: &Desk) -> Option<Self> {
        static SCREENS: AtomicU32 = AtomicU32::new(0);
        let screen = desk.path("screen");
        std::fs::create_dir(&screen).unwrap();
        let number = 200 + (std::process::id() * 4 + SCREENS.fetch_add(1, Ordering::Relaxed)) % 700;
        let started = Command::new("Xvfb")
            .args([&format!(":{number}"), "-screen", "0", &format!("{}x{}x24", SIZE[0], SIZE[1]), "-fbdir"])
            .arg(&screen)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(xvfb) = started else {
            assert!(std::env::var_os("MGIE_TEST_SCREEN").is_none(), "Xvfb is not here");
            eprintln!("Xvfb is not here, so that the real window was not opened");
            return None;
        };
        let framebuffer = screen.join("Xvfb_screen0");
        let screen = Self { number, framebuffer, began: Instant::now(), _xvfb: Running(xvfb) };
        while pixels(&screen.framebuffer).is_none() {
            screen.wait("Xvfb does not start");
        }
        Some(screen)
    }

    /// Waits a moment; not for ever.
    fn wait(&self, for_what: &str) {
        assert!(self.began.elapsed() < PATIENCE, "{for_what}");
        std::thread::sleep(Duration::from_millis(50));
    }

    /// Starts a studio on it.
    fn studio(&self, desk: &Desk, graph: &Path) -> Running {
        let studio = Command::new(env!("CARGO_BIN_EXE_mgie"))
            .arg("studio")
            .arg(graph)
            .env("DISPLAY", format!(":{}", self.number))
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("XDG_DATA_HOME", desk.path("data"))
            .env_remove("WAYLAND_DISPLAY")
            .spawn();
        Running(studio.unwrap())
    }

    /// What is shown once the studio is there and nothing moves any more.
    fn shown(&self, studio: &mut Running) -> Vec<u8> {
        let mut shown = Vec::new();
        let mut still = 0;
        while still < 6 {
            let known = colours(&shown);
            assert!(self.began.elapsed() < PATIENCE, "no window with a graph; {known} colours are shown");
            assert_eq!(studio.0.try_wait().unwrap(), None, "the studio ended by itself");
            std::thread::sleep(Duration::from_millis(200));
            let now = pixels(&self.framebuffer).expect("a screen of that size");
            still = if now == shown && colours(&now) > 200 { still + 1 } else { 0 };
            shown = now;
        }
        shown
    }
}

#[test]
fn the_real_window_opens_and_shows_the_graph() {
    let desk = Desk::new();
    let Some(screen) = Screen::begin(&desk) else { return };
    let graph = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs/mgie.json");
    let mut studio = screen.studio(&desk, &graph);
    let shown = screen.shown(&mut studio);
    if let Some(folder) = std::env::var_os("MGIE_PICTURES") {
        save(&shown, &PathBuf::from(folder).join("studio.png"));
    }
}

/// What lies in the folder of what was not saved: the process and the graph's notes.
fn kept(desk: &Desk) -> Vec<(u64, usize)> {
    let entries = std::fs::read_dir(desk.path("data/mgie/recovery")).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let kept = files.filter_map(|path| {
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        let graph: Value = serde_json::from_str(kept["graph"].as_str()?).ok()?;
        Some((kept["pid"].as_u64()?, graph["studio"]["#notes"].as_array().map_or(0, Vec::len)))
    });
    kept.collect()
}

#[test]
fn what_a_studio_had_not_saved_when_it_was_killed_is_offered_by_the_next_and_taken_by_the_keyboard() {
    if std::env::var_os("MGIE_TEST_SCREEN").is_none() {
        eprintln!("MGIE_TEST_SCREEN is not set, so that no real studio was killed");
        return;
    }
    let desk = Desk::new();
    let Some(screen) = Screen::begin(&desk) else { return };
    let graph = desk.path("mgie.json");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs/mgie.json"), &graph).unwrap();
    let before = std::fs::read(&graph).unwrap();
    let mut keyboard = Keyboard::of_display(screen.number);

    let mut studio = screen.studio(&desk, &graph);
    let opened = screen.shown(&mut studio);
    keyboard.focus_the_window();
    // Adds a note, which is not saved.
    keyboard.press(x11::N);
    let first = u64::from(studio.0.id());
    while kept(&desk) != [(first, 1)] {
        screen.wait(&format!("the note is not kept, but {:?}", kept(&desk)));
    }
    studio.0.kill().unwrap();
    assert_eq!(studio.0.wait().unwrap().signal(), Some(9), "killed, not closed");

    let mut studio = screen.studio(&desk, &graph);
    let asked = screen.shown(&mut studio);
    assert!(asked != opened, "the question stands over the graph");
    keyboard.focus_the_window();
    // To the first button, which is to recover.
    keyboard.press(x11::TAB);
    keyboard.press(x11::SPACE);
    let second = u64::from(studio.0.id());
    while kept(&desk) != [(second, 1)] {
        screen.wait(&format!("what {first} left is not taken by {second}: {:?}", kept(&desk)));
    }
    assert_eq!(std::fs::read(&graph).unwrap(), before, "nothing was saved unasked");
}
