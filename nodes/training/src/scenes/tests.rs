//! What every scene promises, held for a few thousand of them.

use std::collections::{BTreeMap, BTreeSet};

use super::draw::draw;
use super::world::{Background, Colour, Place, Size};
use super::{Edit, Family, SIDE, Sketch, sample, sample_of, sketch_of};

fn sketches(count: u64) -> impl Iterator<Item = Sketch> {
    (0..count).map(|index| sketch_of(11, index, None))
}

#[test]
fn a_scene_depends_on_seed_and_index_alone() {
    assert_eq!(sample(1, 5), sample(1, 5));
    assert_ne!(sample(1, 5).source, sample(1, 6).source);
    assert_ne!(sample(1, 5).source, sample(2, 5).source);
    assert_ne!(sample(5, 1).source, sample(1, 5).source);
}

#[test]
fn objects_lie_whole_in_quadrants_of_their_own_and_in_shapes_of_their_own() {
    for (index, sketch) in sketches(5000).enumerate() {
        for scene in [&sketch.scene, &sketch.goal] {
            assert!(scene.objects.len() <= 4);
            let places: BTreeSet<Place> = scene.objects.iter().map(|object| object.place).collect();
            assert_eq!(places.len(), scene.objects.len(), "scene {index}: two objects in one quadrant");
            for object in &scene.objects {
                let same = scene.objects.iter().filter(|other| other.shape == object.shape).count();
                assert_eq!(same, 1, "scene {index}: two of one shape");
                let (middle_x, middle_y) = object.place.centre();
                let quarter = SIDE as i32 / 4;
                for (at, middle) in [(object.centre.0, middle_x), (object.centre.1, middle_y)] {
                    let inside = (middle - quarter..middle + quarter).contains(&(at - object.radius))
                        && at + object.radius <= middle + quarter;
                    assert!(inside, "scene {index}: {object:?} leaves its quadrant");
                }
            }
        }
        assert!((2..=4).contains(&sketch.scene.objects.len()));
    }
}

#[test]
fn every_edit_changes_something_that_one_can_see() {
    for index in 0..1000 {
        let example = sample(12, index);
        let off: u64 = example.source.iter().zip(&example.goal).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        // The least is a small white circle in snow that becomes a square: some 100 pixels, each of 50 levels.
        assert!(off > 3000, "scene {index}: {} changes {off} levels in all", example.instruction);
    }
}

#[test]
fn must_see_edits_are_unambiguous() {
    for (index, Sketch { scene, edit, .. }) in sketches(5000).enumerate() {
        match edit {
            Edit::SmallestRecolour { object, .. } | Edit::RemoveSmallest { object } => {
                assert_eq!(scene.smallest(), Some(object), "scene {index}");
            }
            Edit::BiggestRecolour { object, .. } | Edit::RemoveBiggest { object } => {
                assert_eq!(scene.biggest(), Some(object), "scene {index}");
            }
            Edit::LikeTheOthers { object } => assert_eq!(scene.odd_one(), Some(object), "scene {index}"),
            Edit::Swap => assert_eq!(scene.objects.len(), 2, "scene {index}"),
            Edit::Match { object, like } => {
                assert_ne!(scene.objects[object].colour, scene.objects[like].colour, "scene {index}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_brief_must_see_instruction_keeps_what_only_the_picture_shows() {
    for index in 0..1000 {
        let example = sample_of(13, index, Some(Family::MustSee));
        assert!(!example.key.is_empty());
        for word in &example.key {
            let has = |text: &str| text.split(' ').any(|found| found == word);
            assert!(has(&example.expressive), "{word} is not in: {}", example.expressive);
            assert!(!has(&example.instruction), "{word} is in: {}", example.instruction);
        }
    }
}

#[test]
fn the_goal_of_a_change_does_not_depend_on_what_the_source_hides() {
    // A tint is in the source's pixels; a new background is as named and has none.
    for Sketch { edit, goal, .. } in sketches(5000) {
        if let Edit::ChangeBackground(to) = edit {
            assert_eq!((goal.background, goal.tint), (to, [0.0; 3]));
        }
        if let Edit::Add { shape, .. } = edit {
            let added = goal.objects.iter().find(|object| object.shape == shape);
            assert!(added.is_some_and(|added| added.size == Size::Medium && added.centre == added.place.centre()));
        }
        if edit == Edit::DayToNight {
            assert_eq!(goal.background, Background::Night);
        }
    }
}

#[test]
fn families_have_their_shares_and_kinds_are_all_there() {
    let mut families: BTreeMap<&str, usize> = BTreeMap::new();
    let mut edits = BTreeSet::new();
    for sketch in sketches(10_000) {
        *families.entry(sketch.edit.family().name()).or_default() += 1;
        edits.insert(sketch.edit.name());
    }
    for family in Family::ALL {
        let (found, expected) = (families[family.name()], family.percent() * 100);
        assert!(found.abs_diff(expected) < 200, "{}: expected about {expected}, found {found}", family.name());
        assert_eq!(Family::from_name(family.name()), Some(family));
        assert_eq!(sample_of(1, 2, Some(family)).family, family);
    }
    assert_eq!(edits.len(), 23, "{edits:?}");
}

#[test]
fn texts_are_short_and_of_a_small_vocabulary() {
    let mut words = BTreeSet::new();
    let mut told = |text: &str, most: usize| {
        assert!((1..=most).contains(&text.split(' ').count()), "{text}");
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{text}");
            words.insert(word.to_owned());
        }
    };
    for index in 0..1500 {
        let example = sample(14, index);
        told(&example.instruction, 12);
        told(&example.expressive, 16);
        told(&example.source_caption, 50);
        told(&example.goal_caption, 50);
        for (question, answer) in &example.questions {
            told(question, 8);
            told(answer, 50);
        }
    }
    assert!(words.len() <= 150, "{} words: {words:?}", words.len());
}

#[test]
fn an_object_is_drawn_in_its_colour_where_it_stands() {
    for Sketch { scene, .. } in sketches(300) {
        let pixels = draw(&scene);
        for object in &scene.objects {
            // The pixel below the centre is within every shape; its shade is a little under full light.
            let at = (object.centre.1 as usize * SIDE + object.centre.0 as usize) * 3;
            let found = [0, 1, 2].map(|i| f32::from(pixels[at + i]));
            let distance = |colour: Colour| -> f32 {
                found.iter().zip(colour.rgb()).map(|(found, full)| (found - full * 0.92).abs()).sum()
            };
            let nearest = Colour::ALL.into_iter().min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
            assert_eq!(nearest, Some(object.colour), "found {found:?} in {object:?}");
        }
    }
}
