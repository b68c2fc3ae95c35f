//! Models of the visitor's own.

use super::desk::Desk;
use crate::protocol::{Backend, BackendChoice, JobId, ToWorker};
use crate::work::*;

/// The requests for a model with its bytes, in order.
fn given_models(desk: &mut Desk) -> Vec<(JobId, String, Option<&'static str>)> {
    let orders = desk.orders().into_iter();
    orders
        .filter_map(|order| match order {
            Order::Post(ToWorker::LoadModel { job, base }, bytes) => Some((job, base, bytes)),
            _ => None,
        })
        .collect()
}

fn model_names(desk: &Desk) -> Vec<String> {
    let models = desk.page.shown().models.into_iter();
    models.map(|model| model.name).collect()
}

#[test]
fn a_model_of_the_visitors_is_chosen_once_it_has_passed_and_a_fresh_worker_gets_it_too() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("model of mine");
    let given = given_models(&mut desk);
    let [(job, base, Some("model of mine"))] = &given[..] else {
        panic!("the worker is given it: {given:?}");
    };
    assert_eq!(base, "model of mine");
    assert_eq!(
        desk.page.shown().model_name,
        "a",
        "until then the one before it stays"
    );
    assert!(!desk.page.shown().can_segment());
    desk.loaded(*job, "mine");
    let shown = desk.page.shown();
    assert_eq!(model_names(&desk), ["a", "b", "c", "mine (yours) sum of m"]);
    assert_eq!(shown.model_name, "mine (yours) sum of m");
    assert_eq!(shown.models[3].title, "MINE (yours)");
    assert!(shown.can_segment() && shown.outcome.is_some() && shown.scan.is_some());
    let (_, model) = desk.segment().expect("it starts");
    assert_eq!(model, *job);
    desk.page.restart();
    desk.orders();
    desk.ready(Backend::Cpu);
    let given = given_models(&mut desk);
    assert_eq!(given[0].2, Some("model of mine"));
    desk.loaded(given[0].0, "mine");
    // Of the site's models none has bytes, and one's own can be chosen again.
    desk.page.choose_model("b".to_owned());
    desk.page.choose_model("mine (yours) sum of m".to_owned());
    let bytes: Vec<_> = given_models(&mut desk)
        .iter()
        .map(|given| given.2)
        .collect();
    assert_eq!(bytes, [None, Some("model of mine")]);
}

#[test]
fn a_model_that_does_not_pass_leaves_all_as_it_was() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("model of mine");
    let given = given_models(&mut desk);
    desk.fail(Some(given[0].0), "its weights are others");
    let shown = desk.page.shown();
    assert_eq!(desk.failure().as_deref(), Some("its weights are others"));
    assert_eq!(model_names(&desk), ["a", "b", "c"]);
    assert!(shown.can_segment() && shown.outcome.is_some());
    // What kills a worker is not given to the next one.
    desk.open("model of mine");
    assert_eq!(given_models(&mut desk).len(), 1);
    desk.fail(None, "it crashed");
    desk.orders();
    desk.ready(Backend::Cpu);
    let given = given_models(&mut desk);
    assert_eq!((&*given[0].1, given[0].2), ("models/a/", None));
}

#[test]
fn a_newer_model_of_the_same_name_takes_the_place_of_the_older_one() {
    let mut desk = Desk::with_scan();
    for expected in ["mine (yours) sum of m", "mine (yours) sum of m 6"] {
        desk.open("model of mine");
        let given = given_models(&mut desk);
        desk.loaded(given[0].0, "mine");
        let names = model_names(&desk);
        assert_eq!(names.len(), 4);
        assert!(
            names[3].starts_with(expected.trim_end_matches(" 6")),
            "{names:?}"
        );
    }
    assert_ne!(
        model_names(&desk)[3],
        "mine (yours) sum of m",
        "results of both are told apart"
    );
}

#[test]
fn a_model_that_comes_before_the_worker_waits_for_it_and_of_two_none_is_taken() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.open("model of mine");
    assert!(given_models(&mut desk).is_empty());
    desk.ready(Backend::Cpu);
    let given = given_models(&mut desk);
    assert_eq!((given.len(), given[0].2), (1, Some("model of mine")));
    desk.fail(Some(given[0].0), "it is none");
    let given = given_models(&mut desk);
    assert_eq!(&*given[0].1, "models/a/", "there was none before it");
    assert_eq!(desk.failure().as_deref(), Some("it is none"));
    desk.loaded(given[0].0, "a");
    desk.open_all(&["model", "model too"]);
    assert!(given_models(&mut desk).is_empty());
    assert!(
        desk.failure()
            .unwrap()
            .contains("2 models, expected is one")
    );
}
