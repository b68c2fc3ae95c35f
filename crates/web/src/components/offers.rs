use std::rc::Rc;

use leptos::prelude::*;

use crate::language::scan as said;
use crate::protocol::{ScanChoice, ScanOffer};
use crate::session::Session;
use crate::state::State;
use crate::words;
use crate::work::Offers;

/// The scans of a file, of which the visitor chooses one, or all as a list.
#[component]
pub fn ScanOffers(offers: Rc<Offers>) -> impl IntoView {
    let session = expect_context::<Session>();
    let state = State::expect();
    let reason = offers.reason.clone();
    let usable = offers.scans.iter().filter(|offer| offer.problem.is_none());
    let num_usable = usable.count();
    let scans = offers.scans.clone().into_iter();
    view! {
        <section class="offers" aria-labelledby="offers-heading" data-testid="series">
            <h3 id="offers-heading">{said::SCANS_IN}<span class="file-name">{offers.name.clone()}</span></h3>
            {reason.map(|reason| view! { <p class="warning">{format!("{reason}.")}</p> })}
            <ul>{scans.map(|offer| view! { <Offer offer/> }).collect_view()}</ul>
            <div class="row">
                {(num_usable > 1).then(|| view! {
                    <button
                        type="button"
                        data-testid="add-all"
                        disabled=move || !state.can_change()
                        on:click=move |_| session.choose_all_scans()
                    >
                        {said::add_all(num_usable)}
                    </button>
                })}
                <button type="button" class="is-quiet" on:click=move |_| session.choose_no_scan()>
                    {said::NONE_OF_THESE}
                </button>
            </div>
        </section>
    }
}

/// A scan that can be chosen: what it is, and which of its volumes.
#[component]
fn Offer(offer: ScanOffer) -> impl IntoView {
    let session = expect_context::<Session>();
    let state = State::expect();
    let volume = RwSignal::new(0);
    let index = offer.index;
    let last = offer.num_volumes - 1;
    let has_problem = offer.problem.is_some();
    let choose = move |_| {
        let volume = volume.get_untracked();
        session.choose_scan(ScanChoice { index, volume });
    };
    let size = words::offer(&offer);
    let title = if offer.description.is_empty() {
        said::number(index)
    } else {
        offer.description
    };
    let label = said::volume_of(last, &title);
    let volumes = move || {
        view! {
            <label class="offer-volume">
                {said::volume(last)}
                <input
                    type="number"
                    aria-label=label
                    min="0"
                    max=last.to_string()
                    prop:value=move || volume.get().to_string()
                    on:change:target=move |event| {
                        let wanted = event.target().value().parse().unwrap_or(0);
                        volume.set(wanted.min(last));
                        // What was typed may be another way to say the same number, or beyond the last.
                        event.target().set_value(&wanted.min(last).to_string());
                    }
                />
            </label>
        }
    };
    view! {
        <li>
            <button
                type="button"
                class="offer"
                disabled=move || has_problem || !state.can_change()
                on:click=choose
            >
                {offer.thumbnail.map(|picture| view! { <img src=picture alt=""/> })}
                <span>
                    <strong>{title}</strong>
                    <span>{size}</span>
                </span>
            </button>
            {offer.problem.map(|problem| view! { <p class="warning">{said::cant_be_opened(&problem)}</p> })}
            {(last > 0 && !has_problem).then(volumes)}
        </li>
    }
}
