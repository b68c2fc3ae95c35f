use leptos::prelude::*;

use crate::language::list as said;
use crate::session::Session;
use crate::state::State;
use crate::work::{Channel, Listed};

/// Which scan of the list is which channel, for a model that takes several at once.
#[component]
pub fn Channels() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let select = move |(place, Channel { name, scan: chosen }): (usize, Channel)| {
        let scans = state.scans.get().into_iter();
        let named = scans.map(|Listed { id, name, .. }| (Some(id), name));
        let none = chosen.is_none().then(|| (None, said::NONE_YET.to_owned()));
        // Of the same types as those of models, so that the program has them once.
        let option = |(id, name): (Option<u32>, String)| {
            let value = id.map_or_else(String::new, |id| id.to_string());
            view! { <option value=value selected=chosen == id>{name}</option> }
        };
        view! {
            <label class="channel">
                {name}
                <select
                    data-testid=format!("channel-{place}")
                    disabled=move || !state.can_change()
                    on:change:target=move |event| {
                        if let Ok(scan) = event.target().value().parse() {
                            session.assign_channel(place, scan);
                        }
                    }
                >
                    {none.into_iter().chain(named).map(option).collect_view()}
                </select>
            </label>
        }
    };
    move || {
        let channels = state.channels.get();
        (!channels.is_empty()).then(|| {
            view! {
                <fieldset class="channels" data-testid="channels">
                    <legend>{said::scans_at_once(channels.len())}</legend>
                    {channels.into_iter().enumerate().map(select).collect_view()}
                    <p class="hint">{said::CHANNELS_HINT}</p>
                </fieldset>
            }
        })
    }
}
