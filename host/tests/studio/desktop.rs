//! The real window, on a screen that nobody sees (Xvfb, with Mesa's OpenGL in software). Where there is no Xvfb the test says
//! so and passes, except where `MGIE_TEST_SCREEN` is set, as in CI, which installs it. With `MGIE_PICTURES=folder` it leaves a
//! picture there: README's `graphs/studio.png`.

use crate::desk::Desk;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

#[test]
fn the_real_window_opens_and_shows_the_graph() {
    let desk = Desk::new();
    let screen = desk.path("screen");
    std::fs::create_dir(&screen).unwrap();
    let display = format!(":{}", 200 + std::process::id() % 700);
    let started = Command::new("Xvfb")
        .args([&display, "-screen", "0", &format!("{}x{}x24", SIZE[0], SIZE[1]), "-fbdir"])
        .arg(&screen)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(xvfb) = started else {
        assert!(std::env::var_os("MGIE_TEST_SCREEN").is_none(), "Xvfb is not here");
        eprintln!("Xvfb is not here, so that the real window was not opened");
        return;
    };
    let _xvfb = Running(xvfb);
    let framebuffer = screen.join("Xvfb_screen0");
    let began = Instant::now();
    while pixels(&framebuffer).is_none() {
        assert!(began.elapsed() < PATIENCE, "Xvfb does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let graph = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs/mgie.json");
    let studio = Command::new(env!("CARGO_BIN_EXE_mgie"))
        .arg("studio")
        .arg(graph)
        .env("DISPLAY", &display)
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env("XDG_DATA_HOME", desk.path("data"))
        .env_remove("WAYLAND_DISPLAY")
        .spawn()
        .unwrap();
    let mut studio = Running(studio);
    let mut shown = Vec::new();
    let mut still = 0;
    while still < 6 {
        assert!(began.elapsed() < PATIENCE, "no window with a graph; {} colours are shown", colours(&shown));
        assert_eq!(studio.0.try_wait().unwrap(), None, "the studio ended by itself");
        std::thread::sleep(Duration::from_millis(200));
        let now = pixels(&framebuffer).expect("a screen of that size");
        still = if now == shown && colours(&now) > 200 { still + 1 } else { 0 };
        shown = now;
    }
    if let Some(folder) = std::env::var_os("MGIE_PICTURES") {
        save(&shown, &PathBuf::from(folder).join("studio.png"));
    }
}
