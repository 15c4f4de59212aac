//! Which edit is made of which scene. The edit is chosen first and the scene made to suit it, so that no scene is drawn
//! in vain and every family has its share.

use super::chance::Chance;
use super::edit::{Edit, Family};
use super::photo::Adjustment;
use super::world::{Background, Colour, Scene, Shape, Size};

/// A kind of edit before its scene is there.
#[derive(Clone, Copy)]
enum Kind {
    Recolour,
    Replace,
    Resize,
    Move,
    Adjust(Adjustment),
    DayToNight,
    Remove,
    Add,
    ChangeBackground,
    Match,
    SmallestRecolour,
    BiggestRecolour,
    Swap,
    LikeTheOthers,
    RemoveSmallest,
    RemoveBiggest,
}

/// The kinds of a family; one that stands twice is twice as frequent.
fn kinds(family: Family) -> &'static [Kind] {
    use Adjustment::{BlackAndWhite, Brighten, Contrast, Cooler, Darken, Mosaic, Poster, Warmer};
    match family {
        Family::Photoshop => &[
            Kind::Recolour,
            Kind::Recolour,
            Kind::Replace,
            Kind::Replace,
            Kind::Resize,
            Kind::Resize,
            Kind::Move,
            Kind::Move,
            Kind::Adjust(Mosaic),
            Kind::Adjust(Poster),
        ],
        Family::Global => &[
            Kind::Adjust(Brighten),
            Kind::Adjust(Darken),
            Kind::Adjust(Contrast),
            Kind::Adjust(BlackAndWhite),
            Kind::Adjust(Warmer),
            Kind::Adjust(Cooler),
            Kind::DayToNight,
        ],
        Family::Local => &[Kind::Remove, Kind::Add, Kind::ChangeBackground],
        Family::MustSee => &[
            Kind::Match,
            Kind::Match,
            Kind::SmallestRecolour,
            Kind::SmallestRecolour,
            Kind::BiggestRecolour,
            Kind::BiggestRecolour,
            Kind::Swap,
            Kind::Swap,
            Kind::LikeTheOthers,
            Kind::LikeTheOthers,
            Kind::RemoveSmallest,
            Kind::RemoveBiggest,
        ],
    }
}

/// A scene and an edit of that family, or of any in the shares of [`Family::percent`].
pub fn plan(family: Option<Family>, chance: &mut Chance) -> (Scene, Edit) {
    let family = family.unwrap_or_else(|| {
        let mut left = chance.below(100);
        let found = Family::ALL.into_iter().find(|family| match left.checked_sub(family.percent()) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        found.unwrap_or(Family::MustSee)
    });
    let kind = chance.pick(kinds(family));
    let count = match kind {
        Kind::Move | Kind::Add => chance.between(2, 3),
        Kind::Swap => 2,
        Kind::LikeTheOthers => chance.between(3, 4),
        _ => chance.between(2, 4),
    };
    let mut scene = Scene::random(count as usize, chance);
    let edit = choose(kind, &mut scene, chance);
    (scene, edit)
}

/// Fills in what the kind leaves open, and changes the scene where the edit would be ambiguous or change nothing.
fn choose(kind: Kind, scene: &mut Scene, chance: &mut Chance) -> Edit {
    let object = chance.below(scene.objects.len());
    match kind {
        Kind::Recolour => Edit::Recolour { object, colour: another_colour(scene, object, chance) },
        Kind::Replace => Edit::Replace { object, shape: chance.pick_except(&Shape::ALL, &scene.shapes()) },
        Kind::Resize => {
            let size = chance.pick(&[Size::Small, Size::Large]);
            if scene.objects[object].size == size {
                let other = chance.pick_except(&Size::ALL, &[size]);
                scene.objects[object].give_size(other, chance);
            }
            Edit::Resize { object, size }
        }
        Kind::Move => Edit::Move { object, place: chance.pick(&scene.empty_places()) },
        Kind::Adjust(adjustment) => Edit::Adjust(adjustment),
        Kind::DayToNight => {
            scene.background = Background::Day;
            Edit::DayToNight
        }
        Kind::Remove => Edit::Remove { object },
        Kind::Add => Edit::Add {
            shape: chance.pick_except(&Shape::ALL, &scene.shapes()),
            colour: chance.pick(&Colour::ALL),
            place: chance.pick(&scene.empty_places()),
        },
        Kind::ChangeBackground => Edit::ChangeBackground(chance.pick_except(&Background::ALL, &[scene.background])),
        Kind::Match => {
            let step = 1 + chance.below(scene.objects.len() - 1);
            let like = (object + step) % scene.objects.len();
            if scene.objects[object].colour == scene.objects[like].colour {
                scene.objects[object].colour = another_colour(scene, object, chance);
            }
            Edit::Match { object, like }
        }
        Kind::SmallestRecolour => {
            make_smallest(scene, object, chance);
            Edit::SmallestRecolour { object, colour: another_colour(scene, object, chance) }
        }
        Kind::BiggestRecolour => {
            make_biggest(scene, object, chance);
            Edit::BiggestRecolour { object, colour: another_colour(scene, object, chance) }
        }
        Kind::RemoveSmallest => {
            make_smallest(scene, object, chance);
            Edit::RemoveSmallest { object }
        }
        Kind::RemoveBiggest => {
            make_biggest(scene, object, chance);
            Edit::RemoveBiggest { object }
        }
        Kind::Swap => {
            if scene.objects[0].colour == scene.objects[1].colour {
                scene.objects[0].colour = another_colour(scene, 0, chance);
            }
            Edit::Swap
        }
        Kind::LikeTheOthers => {
            let [odd, common] = chance.several(&Colour::ALL, 2)[..] else { return Edit::Remove { object } };
            scene.objects.iter_mut().for_each(|other| other.colour = common);
            scene.objects[object].colour = odd;
            Edit::LikeTheOthers { object }
        }
    }
}

fn another_colour(scene: &Scene, object: usize, chance: &mut Chance) -> Colour {
    chance.pick_except(&Colour::ALL, &[scene.objects[object].colour])
}

/// Makes the object smaller than every other.
fn make_smallest(scene: &mut Scene, smallest: usize, chance: &mut Chance) {
    let size = chance.pick(&[Size::Small, Size::Medium]);
    let larger: Vec<Size> = Size::ALL.into_iter().filter(|other| *other > size).collect();
    give_sizes(scene, smallest, size, &larger, chance);
}

/// Makes the object larger than every other.
fn make_biggest(scene: &mut Scene, biggest: usize, chance: &mut Chance) {
    let size = chance.pick(&[Size::Medium, Size::Large]);
    let smaller: Vec<Size> = Size::ALL.into_iter().filter(|other| *other < size).collect();
    give_sizes(scene, biggest, size, &smaller, chance);
}

fn give_sizes(scene: &mut Scene, object: usize, size: Size, others: &[Size], chance: &mut Chance) {
    for (i, other) in scene.objects.iter_mut().enumerate() {
        let size = if i == object { size } else { chance.pick(others) };
        other.give_size(size, chance);
    }
}
