use leptos::prelude::*;

use crate::language::models as said;
use crate::session::Session;
use crate::state::State;
use crate::words;
use crate::work::{ModelEntry, ModelOffer};

/// What each of the site's models does, how large it is and under which licence, before any of its weights is fetched.
#[component]
pub fn Catalogue() -> impl IntoView {
    let state = State::expect();
    let offered = move || {
        let models = state.models.get().into_iter();
        let offered = models.filter_map(|mut model| Some((model.offer.take()?, model)));
        offered.collect::<Vec<_>>()
    };
    view! {
        <Show when=move || !offered().is_empty()>
            <details class="catalogue" data-testid="catalogue">
                <summary>{said::ALL}</summary>
                <ul>{move || offered().into_iter().map(|(offer, model)| view! { <Offered offer model/> }).collect_view()}</ul>
            </details>
        </Show>
    }
}

/// One of them.
#[component]
fn Offered(offer: ModelOffer, model: ModelEntry) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let (name, chosen) = (model.name.clone(), model.name.clone());
    let is_chosen = Memo::new(move |_| state.model_name.with(|current| *current == chosen));
    let link = format!("models/{name}/README.md");
    let facts = facts(&offer);
    let label = said::use_model(&model.title);
    view! {
        <li>
            <strong>{model.title}</strong>
            <p>{offer.description}</p>
            <p class="hint">{facts}</p>
            <p class="row">
                <a href=link target="_blank" rel="noopener">{said::CARD}</a>
                <button
                    type="button"
                    class="is-small"
                    aria-label=label
                    disabled=move || is_chosen.get() || !state.can_change()
                    on:click=move |_| session.choose_model(name.clone())
                >
                    {move || if is_chosen.get() { said::IN_USE } else { said::USE }}
                </button>
            </p>
        </li>
    }
}

/// What is known of a model before it is fetched, in one line.
fn facts(offer: &ModelOffer) -> String {
    let mut facts = Vec::new();
    if let Some(weights) = &offer.weights {
        facts.push(said::to_load(&words::size(weights.bytes)));
    }
    if !offer.version.is_empty() {
        facts.push(said::version(&offer.version));
    }
    facts.push(said::labels(offer.labels));
    if let Some(scores) = &offer.scores {
        facts.push(said::mean_dice(scores.mean_dice, scores.num_cases));
    }
    if let Some(training) = &offer.training {
        facts.push(match training.attribution.as_str() {
            "" => said::licence(&training.licence),
            by => said::licence_by(&training.licence, by),
        });
    }
    said::facts(&offer.modality, &facts.join("; "))
}
