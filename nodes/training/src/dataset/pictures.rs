//! From a pair's files to square pictures of one size.

use std::path::Path;

use mgie_image::decode::{MAX_FILE_BYTES, decode};
use mgie_image::picture::Picture;
use mgie_image::resample::{Filter, ResampleError, Resize};
use mgie_plugin_api::{Failure, file};

use super::{Entry, Pair};

/// Reads a pair; see [`super::Dataset::pair`].
pub fn pair(entry: &Entry, side: usize) -> Result<Pair, Failure> {
    let (source, goal) = (read(&entry.source)?, read(&entry.goal)?);
    if (source.width, source.height) != (goal.width, goal.height) {
        let size = |picture: &Picture| format!("{}×{}", picture.width, picture.height);
        return Err(Failure::file(&entry.goal, "source and goal are not of one size")
            .expected(format!("{}, as {}", size(&source), entry.source.display()))
            .found(size(&goal))
            .remedy("scale one to the other, or remove the pair"));
    }
    let square = |picture: Picture, path: &Path| {
        squared(picture, side).map_err(|error| Failure::file(path, error.to_string()).remedy("ask for another size"))
    };
    Ok(Pair { source: square(source, &entry.source)?, goal: square(goal, &entry.goal)? })
}

/// Reads a picture as RGB in 0..1.
fn read(path: &Path) -> Result<Picture, Failure> {
    let bytes = file::read_whole(path, MAX_FILE_BYTES)?;
    let picture = decode(&bytes).map_err(|problem| {
        // Some decoders end their message with a line of its own.
        let message: Vec<&str> = problem.message.split_whitespace().collect();
        Failure::file(path, message.join(" ")).remedy(problem.remedy)
    })?;
    let picture = picture.into_display();
    Ok(match picture.channels {
        4 => {
            // Alpha is left out, not blended in, as Pillow's convert("RGB") does.
            let samples = picture.samples.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
            Picture { channels: 3, samples, ..picture }
        }
        _ => picture.widened(3),
    })
}

/// The largest square in the middle, resized.
fn squared(picture: Picture, side: usize) -> Result<Picture, ResampleError> {
    let (width, height) = (picture.width, picture.height);
    let shorter = width.min(height);
    // Cropped first and then resized, so that the filter takes nothing from outside the square.
    let picture = if width == height {
        picture
    } else {
        picture.cropped((width - shorter) / 2, (height - shorter) / 2, shorter, shorter)?
    };
    if shorter == side { Ok(picture) } else { picture.resized(&Resize::new(side, side, Filter::Bicubic)) }
}
