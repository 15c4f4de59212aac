//! How people put each edit: five phrasings a kind. `{s}` is the object's shape, `{t}` the other shape, `{c}` a colour,
//! `{p}` a place, `{x}` a new thing with its article, `{b}` a background.

use super::edit::Edit;
use super::photo::Adjustment;
use super::world::Size;

/// The phrasings of an edit.
pub fn phrasings(edit: Edit) -> &'static [&'static str] {
    match edit {
        Edit::Recolour { .. } => &[
            "make the {s} {c}",
            "turn the {s} {c}",
            "paint the {s} {c}",
            "change the colour of the {s} to {c}",
            "the {s} should be {c}",
        ],
        Edit::Replace { .. } => &[
            "replace the {s} with a {t}",
            "turn the {s} into a {t}",
            "change the {s} to a {t}",
            "make the {s} a {t}",
            "put a {t} in place of the {s}",
        ],
        Edit::Resize { size: Size::Small, .. } => &[
            "make the {s} smaller",
            "shrink the {s}",
            "make the {s} small",
            "the {s} should be smaller",
            "let the {s} shrink",
        ],
        Edit::Resize { .. } => &[
            "make the {s} bigger",
            "enlarge the {s}",
            "make the {s} large",
            "the {s} should be bigger",
            "let the {s} grow",
        ],
        Edit::Move { .. } => &[
            "move the {s} to the {p}",
            "put the {s} at the {p}",
            "bring the {s} to the {p}",
            "the {s} should be at the {p}",
            "let the {s} move to the {p}",
        ],
        Edit::Adjust(adjustment) => of_adjustment(adjustment),
        Edit::DayToNight => &[
            "turn day into night",
            "change the day to night",
            "let the night come",
            "make it night",
            "it should be night",
        ],
        Edit::Remove { .. } => {
            &["remove the {s}", "delete the {s}", "take away the {s}", "erase the {s}", "get rid of the {s}"]
        }
        Edit::Add { .. } => &[
            "add {x} at the {p}",
            "put {x} at the {p}",
            "paint {x} at the {p}",
            "there should be {x} at the {p}",
            "let {x} come at the {p}",
        ],
        Edit::ChangeBackground(_) => &[
            "change the background to {b}",
            "make the background {b}",
            "replace the background with {b}",
            "the background should be {b}",
            "turn the background into {b}",
        ],
        Edit::Match { .. } => &[
            "make the {s} match the {t}",
            "the {s} should match the {t}",
            "give the {s} the colour of the {t}",
            "make the {s} the same colour as the {t}",
            "paint the {s} like the {t}",
        ],
        Edit::SmallestRecolour { .. } => &[
            "make the smallest one {c}",
            "turn the smallest one {c}",
            "paint the smallest object {c}",
            "change the colour of the smallest one to {c}",
            "the smallest object should be {c}",
        ],
        Edit::BiggestRecolour { .. } => &[
            "make the biggest one {c}",
            "turn the biggest one {c}",
            "paint the biggest object {c}",
            "change the colour of the biggest one to {c}",
            "the biggest object should be {c}",
        ],
        Edit::Swap => &[
            "swap their colours",
            "swap the colours",
            "let them swap colours",
            "give each the colour of the other",
            "the two should swap their colours",
        ],
        Edit::LikeTheOthers { .. } => &[
            "make it like the others",
            "make the odd one like the others",
            "make them all the same colour",
            "one is not like the others, change it",
            "the odd one should match the others",
        ],
        Edit::RemoveSmallest { .. } => &[
            "remove the smallest one",
            "delete the smallest object",
            "take away the smallest one",
            "erase the smallest one",
            "get rid of the smallest object",
        ],
        Edit::RemoveBiggest { .. } => &[
            "remove the biggest one",
            "delete the biggest object",
            "take away the biggest one",
            "erase the biggest one",
            "get rid of the biggest object",
        ],
    }
}

fn of_adjustment(adjustment: Adjustment) -> &'static [&'static str] {
    match adjustment {
        Adjustment::Brighten => &[
            "make it brighter",
            "brighten the picture",
            "add more light",
            "the picture should be brighter",
            "give it more light",
        ],
        Adjustment::Darken => &[
            "make it darker",
            "darken the picture",
            "take away some light",
            "the picture should be darker",
            "give it less light",
        ],
        Adjustment::Contrast => &[
            "more contrast",
            "add more contrast",
            "increase the contrast",
            "give it more contrast",
            "the picture should have more contrast",
        ],
        Adjustment::BlackAndWhite => &[
            "make it black and white",
            "turn the picture black and white",
            "take away all the colours",
            "the picture should be black and white",
            "remove the colours",
        ],
        Adjustment::Warmer => &[
            "make it warmer",
            "warm up the picture",
            "give it warmer colours",
            "the picture should be warmer",
            "make the colours warmer",
        ],
        Adjustment::Cooler => &[
            "make it cooler",
            "cool down the picture",
            "give it cooler colours",
            "the picture should be cooler",
            "make the colours cooler",
        ],
        Adjustment::Mosaic => &[
            "turn the picture into a mosaic",
            "make it a mosaic",
            "make it look like a mosaic",
            "the picture should be a mosaic",
            "change the picture to a mosaic",
        ],
        Adjustment::Poster => &[
            "turn the picture into a poster",
            "make it a poster",
            "make it look like a poster",
            "the picture should be a poster",
            "change the picture to a poster",
        ],
    }
}
