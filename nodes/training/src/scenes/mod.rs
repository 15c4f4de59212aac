//! The procedural world that the small model learns: pictures of a few objects, and edits of them.
//!
//! [`sample`] is a pure function of seed and index, to the byte and on every machine, so that a data set is named by
//! three numbers, and sets with other indices hold other scenes. The goal follows from source picture and instruction
//! alone.
//!
//! Reading order: [`world`] (what a scene is), [`draw`] and [`photo`] (its pixels), [`edit`] (what is done to it),
//! `plan` (which edit of which scene), `words` and `phrasings` (all of it in words), [`chance`] (the generator),
//! [`set`] (many of them on disk) and [`node`].

pub mod chance;
pub mod draw;
pub mod edit;
pub mod node;
pub mod photo;
mod phrasings;
mod plan;
pub mod set;
mod words;
pub mod world;

use chance::Chance;
pub use draw::Pixels;
pub use edit::{Edit, Family};
pub use world::SIDE;

/// Version of the world: raised when a pixel or a word of any scene changes, so that sets on disk are not taken for
/// what would be written today.
pub const VERSION: u32 = 1;

/// A source, what is asked for, and the goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The index it was sampled with.
    pub index: u64,
    /// The edit's family.
    pub family: Family,
    /// The edit's name, such as `recolour`.
    pub edit: &'static str,
    /// What a person types.
    pub instruction: String,
    /// What that means for this picture, in one explicit sentence.
    pub expressive: String,
    /// The source in words.
    pub source_caption: String,
    /// The goal in words.
    pub goal_caption: String,
    /// For [`Family::MustSee`], the words that only the picture tells and `expressive` contains; else empty.
    pub key: Vec<String>,
    /// The source: [`SIDE`] × [`SIDE`] × 3 bytes, rows from above, RGB.
    pub source: Pixels,
    /// The goal, as `source`.
    pub goal: Pixels,
    /// Questions about the source, and their answers; the first asks for its caption.
    pub questions: Vec<(String, String)>,
}

/// Example `index` of `seed`, of every family in its share ([`Family::percent`]).
pub fn sample(seed: u64, index: u64) -> Example {
    sample_of(seed, index, None)
}

/// Example `index` of `seed`, of one family where one is given. The same seed and index give another scene for another
/// family.
pub fn sample_of(seed: u64, index: u64, family: Option<Family>) -> Example {
    let sketch = sketch_of(seed, index, family);
    let source = draw::draw(&sketch.scene);
    let goal = sketch.edit.goal_pixels(&source, &sketch.goal);
    let Sketch { scene, edit, goal: goal_scene, instruction } = sketch;
    Example {
        index,
        family: edit.family(),
        edit: edit.name(),
        instruction,
        expressive: words::expressive(edit, &scene),
        source_caption: words::caption(&scene),
        goal_caption: words::goal_caption(edit, &goal_scene),
        key: words::key(edit, &scene),
        source,
        goal,
        questions: words::questions(&scene),
    }
}

/// An example before it is drawn.
struct Sketch {
    scene: world::Scene,
    edit: Edit,
    goal: world::Scene,
    instruction: String,
}

fn sketch_of(seed: u64, index: u64, family: Option<Family>) -> Sketch {
    let mut chance = Chance::new(seed, index);
    let (scene, edit) = plan::plan(family, &mut chance);
    let goal = edit.goal(&scene);
    let instruction = words::instruction(edit, &scene, &mut chance);
    Sketch { scene, edit, goal, instruction }
}

#[cfg(test)]
mod tests;
