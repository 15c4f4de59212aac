//! The edits: what each does to a scene, its name and its family.

use super::draw::{Pixels, draw};
use super::photo::Adjustment;
use super::world::{Background, Colour, Light, Object, Place, Scene, Shape, Size};

/// A family of edits, as the paper groups them, and one of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Photoshop-style modification: one object changes, or the picture's style.
    Photoshop,
    /// Global photo optimisation: light and colour of the whole picture.
    Global,
    /// Local editing: something comes or goes.
    Local,
    /// What cannot be done without seeing the picture: the instruction alone does not say what becomes of what.
    MustSee,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Photoshop, Self::Global, Self::Local, Self::MustSee];

    /// Its name in files and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photoshop => "photoshop",
            Self::Global => "global",
            Self::Local => "local",
            Self::MustSee => "must_see",
        }
    }

    /// The family of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// How many of 100 examples are of it.
    pub fn percent(self) -> usize {
        match self {
            Self::Photoshop | Self::MustSee => 30,
            Self::Global | Self::Local => 20,
        }
    }
}

/// An edit of one scene; `object` is an index into the scene's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the variant's line says")]
pub enum Edit {
    /// The object takes a named colour.
    Recolour { object: usize, colour: Colour },
    /// The object takes a named shape; place, size and colour stay.
    Replace { object: usize, shape: Shape },
    /// The object becomes large or small, whatever it was.
    Resize { object: usize, size: Size },
    /// The object goes to the centre of a named, empty quadrant.
    Move { object: usize, place: Place },
    /// The whole picture changes; the style edits are of the Photoshop family.
    Adjust(Adjustment),
    /// A day becomes a night, and the objects dim.
    DayToNight,
    /// The object goes.
    Remove { object: usize },
    /// A medium object comes, in the centre of a named, empty quadrant.
    Add { shape: Shape, colour: Colour, place: Place },
    /// Another background, untinted; the horizon and the objects stay.
    ChangeBackground(Background),
    /// The object takes the other's colour.
    Match { object: usize, like: usize },
    /// The smallest object takes a named colour.
    SmallestRecolour { object: usize, colour: Colour },
    /// The biggest object takes a named colour.
    BiggestRecolour { object: usize, colour: Colour },
    /// The two objects of the scene take each other's colours.
    Swap,
    /// The odd one of three or four takes the colour that the others share.
    LikeTheOthers { object: usize },
    /// The smallest object goes.
    RemoveSmallest { object: usize },
    /// The biggest object goes.
    RemoveBiggest { object: usize },
}

impl Edit {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recolour { .. } => "recolour",
            Self::Replace { .. } => "replace",
            Self::Resize { .. } => "resize",
            Self::Move { .. } => "move",
            Self::Adjust(Adjustment::Mosaic) => "mosaic",
            Self::Adjust(Adjustment::Poster) => "poster",
            Self::Adjust(Adjustment::Brighten) => "brighten",
            Self::Adjust(Adjustment::Darken) => "darken",
            Self::Adjust(Adjustment::Contrast) => "contrast",
            Self::Adjust(Adjustment::BlackAndWhite) => "black_and_white",
            Self::Adjust(Adjustment::Warmer) => "warmer",
            Self::Adjust(Adjustment::Cooler) => "cooler",
            Self::DayToNight => "day_to_night",
            Self::Remove { .. } => "remove",
            Self::Add { .. } => "add",
            Self::ChangeBackground(_) => "change_background",
            Self::Match { .. } => "match",
            Self::SmallestRecolour { .. } => "smallest_recolour",
            Self::BiggestRecolour { .. } => "biggest_recolour",
            Self::Swap => "swap",
            Self::LikeTheOthers { .. } => "like_the_others",
            Self::RemoveSmallest { .. } => "remove_smallest",
            Self::RemoveBiggest { .. } => "remove_biggest",
        }
    }

    /// The family it is of.
    pub fn family(self) -> Family {
        match self {
            Self::Recolour { .. }
            | Self::Replace { .. }
            | Self::Resize { .. }
            | Self::Move { .. }
            | Self::Adjust(Adjustment::Mosaic | Adjustment::Poster) => Family::Photoshop,
            Self::Adjust(_) | Self::DayToNight => Family::Global,
            Self::Remove { .. } | Self::Add { .. } | Self::ChangeBackground(_) => Family::Local,
            Self::Match { .. }
            | Self::SmallestRecolour { .. }
            | Self::BiggestRecolour { .. }
            | Self::Swap
            | Self::LikeTheOthers { .. }
            | Self::RemoveSmallest { .. }
            | Self::RemoveBiggest { .. } => Family::MustSee,
        }
    }

    /// The scene that it leads to. Adjustments change the picture, not the scene.
    pub fn goal(self, source: &Scene) -> Scene {
        let mut goal = source.clone();
        match self {
            Self::Recolour { object, colour }
            | Self::SmallestRecolour { object, colour }
            | Self::BiggestRecolour { object, colour } => goal.objects[object].colour = colour,
            Self::Replace { object, shape } => goal.objects[object].shape = shape,
            Self::Resize { object, size } => {
                goal.objects[object].size = size;
                goal.objects[object].radius = size.radius();
            }
            Self::Move { object, place } => {
                goal.objects[object].place = place;
                goal.objects[object].centre = place.centre();
            }
            Self::Adjust(_) => {}
            Self::DayToNight => {
                goal.background = Background::Night;
                goal.tint = [0.0; 3];
                goal.light = Light::Moon;
            }
            Self::Remove { object } | Self::RemoveSmallest { object } | Self::RemoveBiggest { object } => {
                goal.objects.remove(object);
            }
            Self::Add { shape, colour, place } => goal.objects.push(Object::placed(shape, colour, Size::Medium, place)),
            Self::ChangeBackground(background) => {
                goal.background = background;
                goal.tint = [0.0; 3];
            }
            Self::Match { object, like } => goal.objects[object].colour = source.objects[like].colour,
            Self::Swap => {
                if let [first, second] = &mut goal.objects[..] {
                    std::mem::swap(&mut first.colour, &mut second.colour);
                }
            }
            Self::LikeTheOthers { object } => {
                let other = source.objects.iter().enumerate().find(|(i, _)| *i != object);
                if let Some((_, other)) = other {
                    goal.objects[object].colour = other.colour;
                }
            }
        }
        goal.objects.sort_by_key(|object| object.place);
        goal
    }

    /// The goal's pixels, given those of the source.
    pub fn goal_pixels(self, source: &[u8], goal: &Scene) -> Pixels {
        match self {
            Self::Adjust(adjustment) => adjustment.apply(source),
            _ => draw(goal),
        }
    }
}
