use std::collections::BTreeSet;

use dinomed3d_volume::Label;
use leptos::prelude::*;

/// Colour key of the label map; a label's box hides and shows it.
#[component]
pub fn LabelLegend(
    #[prop(into)] labels: Signal<Vec<Label>>,
    #[prop(into)] hidden: Signal<BTreeSet<u8>>,
    #[prop(into)] on_toggle: Callback<u8>,
) -> impl IntoView {
    let row = move |label: Label| {
        let [red, green, blue] = label.color;
        let value = label.value;
        let swatch = format!("rgb({red} {green} {blue})");
        view! {
            <li>
                <label>
                    <input
                        type="checkbox"
                        prop:checked=move || !hidden.with(|hidden| hidden.contains(&value))
                        on:change=move |_| on_toggle.run(value)
                    />
                    <span class="swatch" style:background-color=swatch aria-hidden="true"></span>
                    {label.name}
                </label>
            </li>
        }
    };
    view! {
        <ul class="legend" data-testid="legend" aria-label="Labels shown">
            <For each=move || labels.get() key=|label| (label.value, label.name.clone()) children=row/>
        </ul>
    }
}
