//! As much of X11 as it takes to press keys on Xvfb's screen, as somebody would who sits before it: a request of the core
//! protocol is a few bytes, and the extension XTEST, which Xvfb has, presses keys.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The keycodes of a PC keyboard, which Xvfb's is.
pub const TAB: u8 = 23;
pub const N: u8 = 57;
pub const SPACE: u8 = 65;

/// A connection to a screen.
pub struct Keyboard {
    stream: UnixStream,
    root: u32,
    xtest: u8,
}

impl Keyboard {
    /// Connects to the display of that number on this machine.
    pub fn of_display(number: u32) -> Self {
        let mut stream = UnixStream::connect(Path::new("/tmp/.X11-unix").join(format!("X{number}"))).unwrap();
        // The order of bytes, version 11.0, and no authorisation: Xvfb asks for none from its own machine.
        stream.write_all(&[b'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        let mut head = [0; 8];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(head[0], 1, "the screen refuses the connection");
        let mut setup = vec![0; 4 * usize::from(u16_at(&head, 6))];
        stream.read_exact(&mut setup).unwrap();
        let vendor = usize::from(u16_at(&setup, 16)).next_multiple_of(4);
        let root = u32_at(&setup, 32 + vendor + 8 * usize::from(setup[21]));
        let mut keyboard = Self { stream, root, xtest: 0 };
        let name = b"XTEST\0\0\0";
        let extension = keyboard.ask(&[&[98, 0, 4, 0, 5, 0, 0, 0], name.as_slice()].concat());
        assert_eq!(extension[8], 1, "the screen has no XTEST");
        keyboard.xtest = extension[9];
        keyboard
    }

    /// Gives the keyboard to the window that is shown: no window manager does it here.
    pub fn focus_the_window(&mut self) {
        let tree = self.ask(&with_window([15, 0, 2, 0], self.root));
        let windows: Vec<u32> = tree[32..].chunks_exact(4).map(|window| u32_at(window, 0)).collect();
        let shown = windows.into_iter().rev().find(|window| self.ask(&with_window([3, 0, 2, 0], *window))[26] == 2);
        let mut focus = with_window([42, 1, 3, 0], shown.expect("a window that is shown"));
        focus.extend([0; 4]);
        self.stream.write_all(&focus).unwrap();
        self.settle();
    }

    /// Presses a key and lets it go.
    pub fn press(&mut self, keycode: u8) {
        for kind in [2, 3] {
            let mut request = vec![self.xtest, 2, 9, 0, kind, keycode];
            request.resize(36, 0);
            self.stream.write_all(&request).unwrap();
        }
        self.settle();
    }

    /// Waits until what was asked for is done: the answer to another question comes after it.
    fn settle(&mut self) {
        self.ask(&[43, 0, 1, 0]);
    }

    /// Asks a question; its answer, whole.
    fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.stream.write_all(request).unwrap();
        loop {
            let mut answer = vec![0; 32];
            self.stream.read_exact(&mut answer).unwrap();
            match answer[0] {
                0 => panic!("the screen answers request {} with error {}", answer[10], answer[1]),
                1 => {
                    let mut rest = vec![0; 4 * u32_at(&answer, 4) as usize];
                    self.stream.read_exact(&mut rest).unwrap();
                    answer.extend(rest);
                    return answer;
                }
                // An event.
                _ => {}
            }
        }
    }
}

fn with_window(head: [u8; 4], window: u32) -> Vec<u8> {
    [head, window.to_le_bytes()].concat()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
