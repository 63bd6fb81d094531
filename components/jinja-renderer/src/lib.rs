//! The built-in renderer: messages made of texts in Jinja, whose layout may be MJML.
//!
//! A template is one text with a block for each part of the message:
//!
//! ```jinja
//! {% block subject %}Your appointment on {{ view.date }}{% endblock %}
//! {% block text %}Dear {{ view.name }}, …{% endblock %}
//! {% block mjml %}<mjml><mj-body>…</mj-body></mjml>{% endblock %}
//! ```
//!
//! An e-mail has `subject`, `text` and, if it is to have a layout, `html` or `mjml`; a text message has
//! `text`; a push notification `subject` and `text`. Beside the blocks there may be what all of them
//! use: `{% set %}` and `{% macro %}`. What may be said is in `view`, and nothing else is there: a name that
//! is unknown is a mistake. Only `html` and `mjml` are escaped, as HTML.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

mod compile;
mod compiled;
mod environment;
mod limits;
mod mjml;
mod place;
mod render;
mod source;

use bindings::exports::praxis::template::text_renderer::Guest;
use bindings::praxis::template::types::{Channel, Message, Mistake, Request};

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit/template",
        inline: "
            package praxis:jinja-renderer;
            world jinja-renderer {
                export praxis:template/text-renderer@0.1.0;
            }
        ",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

struct Renderer;
bindings::export!(Renderer with_types_in bindings);

impl Guest for Renderer {
    fn compile(channel: Channel, source: String) -> Result<String, Vec<Mistake>> {
        compile::compile(channel, &source)
    }

    fn render(compiled: String, request: Request) -> Result<Message, Mistake> {
        render::render(&compiled, &request)
    }
}
