//! Markdown as HTML for a page with a strict policy: no markup or style of its own, and no link to what is not there.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// A text as HTML.
#[derive(Debug, Default)]
pub struct Html {
    /// The words of its first heading.
    pub title: String,
    /// All of it.
    pub body: String,
    /// Documents beside it that it links, as they are called there: `x.md`.
    pub documents: Vec<String>,
    /// Pictures that it shows, as it calls them.
    pub pictures: Vec<String>,
}

/// Renders a text. `is_document` says whether a file beside it, `x.md`, is a document of the site: a link to it becomes one to
/// `x.html`. Of a link to any other file only its words are left.
pub fn render(text: &str, is_document: impl Fn(&str) -> bool) -> Html {
    let mut rendering = Rendering {
        is_document,
        html: Html::default(),
        events: Vec::new(),
        heading: None,
        ids: Vec::new(),
        is_link_kept: false,
        cell_start: 0,
        is_row_name: false,
    };
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        rendering.take(event);
    }
    let Rendering { html, events, .. } = rendering;
    Html {
        title: to_html([Event::Text(html.title.into())]),
        body: to_html(events),
        ..html
    }
}

fn to_html<'a>(events: impl IntoIterator<Item = Event<'a>>) -> String {
    let mut text = String::new();
    html::push_html(&mut text, events.into_iter());
    text
}

struct Rendering<'a, F> {
    is_document: F,
    html: Html,
    events: Vec<Event<'a>>,
    /// Where the heading that is read begins, and its words so far.
    heading: Option<(usize, String)>,
    /// Of all headings so far.
    ids: Vec<String>,
    is_link_kept: bool,
    /// Where the cell that is read begins.
    cell_start: usize,
    /// Whether it is the first of its row in a table's body, and so the row's name.
    is_row_name: bool,
}

impl<'a, F: Fn(&str) -> bool> Rendering<'a, F> {
    fn take(&mut self, event: Event<'a>) {
        if let (Some((_, words)), Event::Text(text) | Event::Code(text)) =
            (&mut self.heading, &event)
        {
            words.push_str(text);
        }
        match event {
            Event::Html(text) | Event::InlineHtml(text) => self.events.push(Event::Text(text)),

            Event::Start(Tag::Heading { .. }) => {
                self.heading = Some((self.events.len(), String::new()));
                self.events.push(event);
            }
            Event::End(TagEnd::Heading(_)) => {
                self.end_heading();
                self.events.push(event);
            }

            Event::Start(Tag::Link { ref dest_url, .. }) => {
                let target = self.link_target(dest_url);
                self.is_link_kept = target.is_some();
                self.events.extend(target.map(|target| link(event, target)));
            }
            Event::End(TagEnd::Link) if !self.is_link_kept => {}
            Event::Start(Tag::Image { ref dest_url, .. }) => {
                self.html.pictures.push(dest_url.to_string());
                self.events.push(event);
            }

            // An alignment would be an inline style. A table may be wider than the window: it scrolls in a box, by keyboard too.
            Event::Start(Tag::Table(_)) => {
                let label = match self.ids.last() {
                    Some(id) => format!(" role=\"group\" aria-labelledby=\"{id}\""),
                    None => String::new(),
                };
                let open = format!("<div class=\"scrolls\" tabindex=\"0\"{label}>");
                self.events.push(Event::Html(open.into()));
                self.events.push(Event::Start(Tag::Table(Vec::new())));
            }
            Event::End(TagEnd::Table) => {
                self.events.push(event);
                self.events.push(Event::Html("</div>\n".into()));
            }
            Event::Start(Tag::TableRow) => {
                self.is_row_name = true;
                self.events.push(event);
            }
            Event::Start(Tag::TableCell) => {
                self.cell_start = self.events.len();
                self.events.push(if self.is_row_name {
                    Event::Html("<th scope=\"row\">".into())
                } else {
                    event
                });
            }
            Event::End(TagEnd::TableCell) => self.end_cell(event),

            event => self.events.push(event),
        }
    }

    /// Gives the heading that ends an id to lead to, as GitHub does.
    fn end_heading(&mut self) {
        let Some((start, words)) = self.heading.take() else {
            return;
        };
        let slug: String = words
            .to_lowercase()
            .chars()
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter))
            .collect();
        let id = (0..)
            .map(|count| match count {
                0 => slug.clone(),
                _ => format!("{slug}-{count}"),
            })
            .find(|id| !self.ids.contains(id))
            .expect("counts do not end");
        if let Event::Start(Tag::Heading { id: of_tag, .. }) = &mut self.events[start] {
            *of_tag = Some(id.clone().into());
        }
        self.ids.push(id);
        if self.html.title.is_empty() {
            self.html.title = words;
        }
    }

    /// A heading without words is none to those who hear the page.
    fn end_cell(&mut self, end: Event<'a>) {
        if self.events.len() == self.cell_start + 1 {
            self.events[self.cell_start] = Event::Html("<td></td>".into());
        } else if self.is_row_name {
            self.events.push(Event::Html("</th>".into()));
        } else {
            self.events.push(end);
        }
        self.is_row_name = false;
    }

    /// Where a link leads in the site, if anywhere.
    fn link_target(&mut self, target: &str) -> Option<String> {
        if target.starts_with('#') || target.starts_with("https://") {
            return Some(target.to_owned());
        }
        let (file, heading) = match target.split_once('#') {
            Some((file, heading)) => (file, format!("#{heading}")),
            None => (target, String::new()),
        };
        let name = file.strip_suffix(".md")?;
        if name.contains('/') || !(self.is_document)(file) {
            return None;
        }
        self.html.documents.push(file.to_owned());
        Some(format!("{name}.html{heading}"))
    }
}

/// A link's beginning with another target.
fn link(mut start: Event, target: String) -> Event {
    if let Event::Start(Tag::Link { dest_url, .. }) = &mut start {
        *dest_url = target.into();
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> String {
        render(text, |file| file == "head.md").body
    }

    #[test]
    fn a_link_leads_to_a_document_of_the_site_or_is_only_words() {
        let text = "[a](head.md) [b](head.md#real-scans) [c](#x) [d](https://example.org/) [e](https://example.org/x.md)";
        let html = render(text, |file| file == "head.md");
        assert_eq!(
            html.body,
            "<p><a href=\"head.html\">a</a> <a href=\"head.html#real-scans\">b</a> <a href=\"#x\">c</a> \
             <a href=\"https://example.org/\">d</a> <a href=\"https://example.org/x.md\">e</a></p>\n"
        );
        assert_eq!(html.documents, ["head.md", "head.md"]);
        for nowhere in [
            "missing.md",
            "../README.md",
            "../recipes/head.toml",
            "sub/head.md",
            "javascript:alert(1)",
        ] {
            assert_eq!(
                body(&format!("see [`the` file]({nowhere})")),
                "<p>see <code>the</code> file</p>\n",
                "{nowhere}"
            );
        }
    }

    #[test]
    fn a_heading_is_found_by_its_words() {
        let html = render(
            "# The `head`: a *tale*, 2 < 3\n## On a card\n## On a card\n",
            |_| false,
        );
        assert_eq!(html.title, "The head: a tale, 2 &lt; 3");
        assert_eq!(
            html.body,
            "<h1 id=\"the-head-a-tale-2--3\">The <code>head</code>: a <em>tale</em>, 2 &lt; 3</h1>\n\
             <h2 id=\"on-a-card\">On a card</h2>\n<h2 id=\"on-a-card-1\">On a card</h2>\n"
        );
    }

    #[test]
    fn a_table_scrolls_in_a_box_and_has_no_inline_style() {
        let html = body("# Dice\n\n| | T1 |\n|---|--:|\n| thalamus | 0.9 |\n| | `0.8` |\n");
        let (_, table) = html.split_once('\n').unwrap();
        assert_eq!(
            table,
            "<div class=\"scrolls\" tabindex=\"0\" role=\"group\" aria-labelledby=\"dice\"><table>\
             <thead><tr><td></td><th>T1</th></tr></thead><tbody>\n\
             <tr><th scope=\"row\">thalamus</th><td>0.9</td></tr>\n\
             <tr><td></td><td><code>0.8</code></td></tr>\n</tbody></table>\n</div>\n"
        );
        assert!(
            body("| a |\n|---|\n| b |\n")
                .starts_with("<div class=\"scrolls\" tabindex=\"0\"><table>")
        );
    }

    #[test]
    fn a_picture_is_shown_with_its_words_and_named() {
        let html = render("![T1 \"as it is\"](head-t1.png)", |_| false);
        assert_eq!(
            html.body,
            "<p><img src=\"head-t1.png\" alt=\"T1 &quot;as it is&quot;\" /></p>\n"
        );
        assert_eq!(html.pictures, ["head-t1.png"]);
    }

    #[test]
    fn markup_and_special_letters_are_shown_as_they_are_written() {
        let html = body("a < b & <b onclick=\"x\">c</b>\n\n<script>alert(1)</script>\n\n    <i>\n");
        assert_eq!(
            html,
            "<p>a &lt; b &amp; &lt;b onclick=\"x\"&gt;c&lt;/b&gt;</p>\n\
             &lt;script&gt;alert(1)&lt;/script&gt;\n<pre><code>&lt;i&gt;\n</code></pre>\n"
        );
    }
}
