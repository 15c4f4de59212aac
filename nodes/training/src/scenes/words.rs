//! Scenes and edits in words: instructions as people type them, what they mean for this picture, captions, and
//! questions with their answers. All of it is lower case, of one small vocabulary.

use super::chance::Chance;
use super::edit::Edit;
use super::photo::Adjustment;
use super::phrasings::phrasings;
use super::world::{Object, Scene};

/// A brief instruction, in one of several phrasings. What only the picture shows is not in it.
pub fn instruction(edit: Edit, scene: &Scene, chance: &mut Chance) -> String {
    let phrasing = chance.pick(phrasings(edit));
    let shape = |object: usize| scene.objects[object].shape.word();
    match edit {
        Edit::Recolour { object, colour } => fill(phrasing, &[("{s}", shape(object)), ("{c}", colour.word())]),
        Edit::Replace { object, shape: to } => fill(phrasing, &[("{s}", shape(object)), ("{t}", to.word())]),
        Edit::Move { object, place } => fill(phrasing, &[("{s}", shape(object)), ("{p}", place.words())]),
        Edit::Resize { object, .. } | Edit::Remove { object } => fill(phrasing, &[("{s}", shape(object))]),
        Edit::Add { shape, colour, place } => {
            let thing = with_article(&format!("{} {}", colour.word(), shape.word()));
            fill(phrasing, &[("{x}", &thing), ("{p}", place.words())])
        }
        Edit::ChangeBackground(background) => fill(phrasing, &[("{b}", background.noun())]),
        Edit::Match { object, like } => fill(phrasing, &[("{s}", shape(object)), ("{t}", shape(like))]),
        Edit::SmallestRecolour { colour, .. } | Edit::BiggestRecolour { colour, .. } => {
            fill(phrasing, &[("{c}", colour.word())])
        }
        _ => phrasing.to_owned(),
    }
}

fn fill(phrasing: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(phrasing.to_owned(), |text, (slot, word)| text.replace(slot, word))
}

fn with_article(thing: &str) -> String {
    let article = if thing.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {thing}")
}

/// What becomes of what, said explicitly: one sentence form for each kind of edit.
pub fn expressive(edit: Edit, scene: &Scene) -> String {
    let the = |object: usize| {
        let Object { colour, shape, place, .. } = scene.objects[object];
        format!("the {} {} at the {}", colour.word(), shape.word(), place.words())
    };
    let here = scene.background.where_words();
    match edit {
        Edit::Recolour { object, colour }
        | Edit::SmallestRecolour { object, colour }
        | Edit::BiggestRecolour { object, colour } => format!("{} turns {}", the(object), colour.word()),
        Edit::Replace { object, shape } => format!("{} becomes a {}", the(object), shape.word()),
        Edit::Resize { object, size } => format!("{} becomes {}", the(object), size.word()),
        Edit::Move { object, place } => format!("{} moves to the {}", the(object), place.words()),
        Edit::Adjust(adjustment) => format!("the whole picture {here} becomes {}", adjusted(adjustment)),
        Edit::DayToNight => "the day turns into night and everything becomes darker".to_owned(),
        Edit::Remove { object } | Edit::RemoveSmallest { object } | Edit::RemoveBiggest { object } => {
            format!("{} disappears", the(object))
        }
        Edit::Add { shape, colour, place } => {
            format!("a medium {} {} appears at the {}", colour.word(), shape.word(), place.words())
        }
        Edit::ChangeBackground(to) => {
            format!("the background changes from {} to {}", scene.background.noun(), to.noun())
        }
        Edit::Match { object, like } => {
            let like = scene.objects[like];
            format!("{} turns {} like the {}", the(object), like.colour.word(), like.shape.word())
        }
        Edit::Swap => match &scene.objects[..] {
            [first, second] => {
                let (a, b) = (first.colour.word(), second.colour.word());
                let (first, second) = (first.shape.word(), second.shape.word());
                format!("the {a} {first} turns {b} and the {b} {second} turns {a}")
            }
            _ => "the colours change places".to_owned(),
        },
        Edit::LikeTheOthers { object } => {
            let others = edit.goal(scene).objects[object].colour;
            format!("{} turns {} like the others", the(object), others.word())
        }
    }
}

fn adjusted(adjustment: Adjustment) -> &'static str {
    match adjustment {
        Adjustment::Brighten => "brighter",
        Adjustment::Darken => "darker",
        Adjustment::Contrast => "rich in contrast",
        Adjustment::BlackAndWhite => "black and white",
        Adjustment::Warmer => "warmer",
        Adjustment::Cooler => "cooler",
        Adjustment::Mosaic => "a mosaic",
        Adjustment::Poster => "a poster",
    }
}

/// The words that the expressive instruction of a must-see edit has to contain: what only the picture tells. Empty for
/// the other families.
pub fn key(edit: Edit, scene: &Scene) -> Vec<String> {
    let goal = edit.goal(scene);
    let words: Vec<&str> = match edit {
        Edit::Match { object, .. } => vec![goal.objects[object].colour.word()],
        Edit::SmallestRecolour { object, .. }
        | Edit::BiggestRecolour { object, .. }
        | Edit::RemoveSmallest { object }
        | Edit::RemoveBiggest { object } => vec![scene.objects[object].shape.word()],
        Edit::Swap => scene.objects.iter().flat_map(|object| [object.shape.word(), object.colour.word()]).collect(),
        Edit::LikeTheOthers { object } => {
            vec![scene.objects[object].shape.word(), goal.objects[object].colour.word()]
        }
        _ => Vec::new(),
    };
    words.into_iter().map(ToOwned::to_owned).collect()
}

/// The scene in a sentence: every object with size, colour, shape and place, then the background.
pub fn caption(scene: &Scene) -> String {
    let of_one = |object: &Object| {
        let Object { size, colour, shape, place, .. } = object;
        format!("a {} {} {} at the {}", size.word(), colour.word(), shape.word(), place.words())
    };
    let things: Vec<String> = scene.objects.iter().map(of_one).collect();
    let things = match &things[..] {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => things.concat(),
    };
    format!("{things} {}", scene.background.where_words())
}

/// The goal in a sentence: its scene's caption, and how the picture was adjusted.
pub fn goal_caption(edit: Edit, goal: &Scene) -> String {
    let caption = caption(goal);
    let Edit::Adjust(adjustment) = edit else { return caption };
    let how = match adjustment {
        Adjustment::Brighten => "bright",
        Adjustment::Darken => "dark",
        Adjustment::Contrast => "rich in contrast",
        Adjustment::BlackAndWhite => "black and white",
        Adjustment::Warmer => "in warm colours",
        Adjustment::Cooler => "in cool colours",
        Adjustment::Mosaic => "as a mosaic",
        Adjustment::Poster => "as a poster",
    };
    format!("{caption}, {how}")
}

/// Questions about the scene and their answers, for aligning an MLLM with what it sees. Those about the smallest,
/// biggest or odd one are only asked where there is one.
pub fn questions(scene: &Scene) -> Vec<(String, String)> {
    let mut asked = vec![("describe the picture".to_owned(), caption(scene))];
    let mut ask = |question: String, answer: String| asked.push((question, answer));
    let number = ["no", "one", "two", "three", "four"].get(scene.objects.len()).copied().unwrap_or("many");
    ask("how many objects are there".to_owned(), number.to_owned());
    ask("what is the background".to_owned(), scene.background.noun().to_owned());
    for object in &scene.objects {
        let (shape, place) = (object.shape.word(), object.place.words());
        ask(format!("what colour is the {shape}"), object.colour.word().to_owned());
        ask(format!("where is the {shape}"), place.to_owned());
        ask(format!("how big is the {shape}"), object.size.word().to_owned());
        ask(format!("what is at the {place}"), format!("a {} {} {shape}", object.size.word(), object.colour.word()));
    }
    for place in scene.empty_places() {
        ask(format!("what is at the {}", place.words()), "nothing".to_owned());
    }
    let the = |object: usize| {
        let Object { colour, shape, place, .. } = scene.objects[object];
        format!("the {} {} at the {}", colour.word(), shape.word(), place.words())
    };
    if let Some(smallest) = scene.smallest() {
        ask("which is the smallest one".to_owned(), the(smallest));
    }
    if let Some(biggest) = scene.biggest() {
        ask("which is the biggest one".to_owned(), the(biggest));
    }
    if let Some(odd) = scene.odd_one() {
        ask("which one is not like the others".to_owned(), the(odd));
    }
    asked
}
