//! What a scene is made of: a background, and two to four objects, each alone in its quadrant and in its shape.

use super::chance::Chance;

/// Width and height of every scene in pixels.
pub const SIDE: usize = 128;

/// What an object looks like from afar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A disc.
    Circle,
    /// A square, upright.
    Square,
    /// A triangle, its tip above.
    Triangle,
    /// A star of five points.
    Star,
    /// A plus of four equal arms.
    Cross,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 5] = [Self::Circle, Self::Square, Self::Triangle, Self::Star, Self::Cross];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Circle => "circle",
            Self::Square => "square",
            Self::Triangle => "triangle",
            Self::Star => "star",
            Self::Cross => "cross",
        }
    }
}

/// The colour of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "a colour is its name")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
    White,
}

impl Colour {
    /// Every colour.
    pub const ALL: [Self; 7] =
        [Self::Red, Self::Orange, Self::Yellow, Self::Green, Self::Blue, Self::Purple, Self::White];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::White => "white",
        }
    }

    /// Red, green and blue, 0 to 255: far from each other and from every background.
    pub fn rgb(self) -> [f32; 3] {
        match self {
            Self::Red => [225.0, 30.0, 38.0],
            Self::Orange => [255.0, 135.0, 10.0],
            Self::Yellow => [252.0, 228.0, 36.0],
            Self::Green => [22.0, 160.0, 62.0],
            Self::Blue => [36.0, 82.0, 235.0],
            Self::Purple => [152.0, 48.0, 208.0],
            Self::White => [252.0, 252.0, 252.0],
        }
    }
}

/// How large an object is, by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// About 12 pixels in radius.
    Small,
    /// About 18 pixels in radius.
    Medium,
    /// About 25 pixels in radius.
    Large,
}

impl Size {
    /// Every size, the smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// The radius in pixels that an edit gives; objects of a source are up to a pixel off.
    pub fn radius(self) -> i32 {
        match self {
            Self::Small => 12,
            Self::Medium => 18,
            Self::Large => 25,
        }
    }
}

/// A quadrant of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Above, left.
    TopLeft,
    /// Above, right.
    TopRight,
    /// Below, left.
    BottomLeft,
    /// Below, right.
    BottomRight,
}

impl Place {
    /// Every quadrant, as one reads.
    pub const ALL: [Self; 4] = [Self::TopLeft, Self::TopRight, Self::BottomLeft, Self::BottomRight];

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::TopLeft => "top left",
            Self::TopRight => "top right",
            Self::BottomLeft => "bottom left",
            Self::BottomRight => "bottom right",
        }
    }

    /// Its centre in pixels, x then y.
    pub fn centre(self) -> (i32, i32) {
        let (near, far) = (SIDE as i32 / 4, SIDE as i32 * 3 / 4);
        match self {
            Self::TopLeft => (near, near),
            Self::TopRight => (far, near),
            Self::BottomLeft => (near, far),
            Self::BottomRight => (far, far),
        }
    }
}

/// What lies behind the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "a background is its name")]
pub enum Background {
    Day,
    Sunset,
    Snow,
    Desert,
    Night,
    Forest,
}

impl Background {
    /// Every background.
    pub const ALL: [Self; 6] = [Self::Day, Self::Sunset, Self::Snow, Self::Desert, Self::Night, Self::Forest];

    /// The words for it as a thing.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Sunset => "sunset",
            Self::Snow => "snow",
            Self::Desert => "a desert",
            Self::Night => "night",
            Self::Forest => "a forest",
        }
    }

    /// The words that say that something is there.
    pub fn where_words(self) -> &'static str {
        match self {
            Self::Day => "by day",
            Self::Sunset => "at sunset",
            Self::Snow => "in snow",
            Self::Desert => "in a desert",
            Self::Night => "at night",
            Self::Forest => "in a forest",
        }
    }
}

/// One object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its shape, which no other object of the scene has.
    pub shape: Shape,
    /// Its colour, which others may have.
    pub colour: Colour,
    /// Its size by its word.
    pub size: Size,
    /// Its quadrant, which it has for itself.
    pub place: Place,
    /// Its radius in pixels.
    pub radius: i32,
    /// Its centre in pixels, x then y.
    pub centre: (i32, i32),
}

impl Object {
    /// The object as an edit makes it: of the size's exact radius, in the exact centre of its quadrant.
    pub fn placed(shape: Shape, colour: Colour, size: Size, place: Place) -> Self {
        Self { shape, colour, size, place, radius: size.radius(), centre: place.centre() }
    }

    /// An object of a source: up to a pixel off in radius, up to four off its quadrant's centre.
    fn found(shape: Shape, colour: Colour, size: Size, place: Place, chance: &mut Chance) -> Self {
        let mut object = Self::placed(shape, colour, size, place);
        object.give_size(size, chance);
        object.centre.0 += chance.between(-4, 4);
        object.centre.1 += chance.between(-4, 4);
        object
    }

    /// Gives it another size, as objects of a source have it.
    pub fn give_size(&mut self, size: Size, chance: &mut Chance) {
        self.size = size;
        self.radius = size.radius() + chance.between(-1, 1);
    }
}

/// The light that a scene is seen in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// The objects have their colours.
    Full,
    /// The objects are dim and bluish.
    Moon,
}

/// The line between ground and sky: a base and two slow waves, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Horizon {
    /// Mean row.
    pub row: f32,
    /// Height, length and phase (in lengths) of each wave.
    pub waves: [[f32; 3]; 2],
}

/// A whole scene; pixels follow from it alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// What lies behind.
    pub background: Background,
    /// Where ground meets sky.
    pub horizon: Horizon,
    /// What is added to the background's red, green and blue.
    pub tint: [f32; 3],
    /// The light on the objects.
    pub light: Light,
    /// The objects in the order of their places.
    pub objects: Vec<Object>,
}

impl Scene {
    /// A scene of `count` objects, 1 to 4.
    pub fn random(count: usize, chance: &mut Chance) -> Self {
        let background = chance.pick(&Background::ALL);
        let horizon = Horizon {
            row: chance.between(68, 84) as f32,
            waves: [
                [chance.unit() * 5.0, 150.0 + chance.unit() * 90.0, chance.unit()],
                [chance.unit() * 2.0, 70.0 + chance.unit() * 40.0, chance.unit()],
            ],
        };
        let brightness = chance.between(-8, 8) as f32;
        let tint = [(); 3].map(|()| brightness + chance.between(-4, 4) as f32);
        let shapes = chance.several(&Shape::ALL, count);
        let mut places = chance.several(&Place::ALL, count);
        places.sort_unstable();
        let objects = shapes.into_iter().zip(places).map(|(shape, place)| {
            let (colour, size) = (chance.pick(&Colour::ALL), chance.pick(&Size::ALL));
            Object::found(shape, colour, size, place, chance)
        });
        let objects = objects.collect();
        Self { background, horizon, tint, light: Light::Full, objects }
    }

    /// The quadrants that hold no object.
    pub fn empty_places(&self) -> Vec<Place> {
        Place::ALL.into_iter().filter(|place| self.objects.iter().all(|object| object.place != *place)).collect()
    }

    /// The shapes of its objects.
    pub fn shapes(&self) -> Vec<Shape> {
        self.objects.iter().map(|object| object.shape).collect()
    }

    /// Which object is smaller than every other, if one is.
    pub fn smallest(&self) -> Option<usize> {
        self.only(|size, other| size < other)
    }

    /// Which object is larger than every other, if one is.
    pub fn biggest(&self) -> Option<usize> {
        self.only(|size, other| size > other)
    }

    fn only(&self, beats: impl Fn(Size, Size) -> bool) -> Option<usize> {
        let objects = self.objects.iter().enumerate();
        let beats_all = |i: usize, object: &Object| {
            let mut others = self.objects.iter().enumerate().filter(|(j, _)| *j != i);
            others.all(|(_, other)| beats(object.size, other.size))
        };
        (self.objects.len() > 1).then(|| objects.into_iter().find(|(i, object)| beats_all(*i, object)))?.map(|(i, _)| i)
    }

    /// Which of three or four objects differs in colour from all others, where those share one.
    pub fn odd_one(&self) -> Option<usize> {
        if self.objects.len() < 3 {
            return None;
        }
        (0..self.objects.len()).find(|&odd| {
            let mut others = self.objects.iter().enumerate().filter(|(i, _)| *i != odd).map(|(_, other)| other.colour);
            let common = others.next();
            common.is_some_and(|common| self.objects[odd].colour != common && others.all(|colour| colour == common))
        })
    }
}
