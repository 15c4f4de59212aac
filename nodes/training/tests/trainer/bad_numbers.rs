//! A loss that is no number ends the training, with the last good checkpoint as it was.

use crate::host::Host;
use crate::toy::{Event, Toy, files, train_toy};

#[test]
fn a_loss_or_gradient_that_is_no_number_names_term_and_step_and_keeps_the_checkpoint() {
    let good = tempfile::tempdir().unwrap();
    train_toy(&Toy::default(), &Host::of(1), good.path(), 12, |_| ()).unwrap();
    for (event, term) in [(Event::Term, "absolute became NaN"), (Event::Gradient, "the gradient's norm became NaN")] {
        for threads in [1, 2] {
            let work = tempfile::tempdir().unwrap();
            let crashing = Toy::default().with(5, Event::Crash);
            train_toy(&crashing, &Host::of(1), work.path(), 12, |_| ()).unwrap_err();
            let [before, _] = files(work.path());
            let toy = Toy::default().with(7, event);
            let failure = train_toy(&toy, &Host::of(threads), work.path(), 12, |_| ()).unwrap_err();
            let text = failure.to_string();
            for part in ["toy", term, "step 8", "last good checkpoint", "learning_rate"] {
                assert!(text.contains(part), "{text:?} does not say {part:?}");
            }
            assert!(files(work.path())[0] == before, "{event:?}: the checkpoint was changed");
            train_toy(&Toy::default(), &Host::of(1), work.path(), 12, |_| ()).unwrap();
            assert!(files(work.path()) == files(good.path()), "{event:?}: it does not go on from the checkpoint");
        }
    }
}

#[test]
fn a_loss_that_is_no_number_before_any_checkpoint_says_so() {
    let work = tempfile::tempdir().unwrap();
    let failure = train_toy(&Toy::default().with(0, Event::Term), &Host::of(1), work.path(), 12, |_| ()).unwrap_err();
    assert!(failure.to_string().contains("step 1; there is no checkpoint yet"), "{failure}");
}
