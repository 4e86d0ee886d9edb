//! HTML whose own tags are written here in the program, and everything else escaped. By its types: a tag is `'static`, so
//! nothing that was recorded can be one.

use std::fmt::Write as _;

use crate::codec::escape::visible;

/// Longest recorded value that is shown, in characters; `custody.json` has it whole.
const SHOWN_MAX: usize = 1_200;

/// A page that grows.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup of the page itself.
    pub(super) fn tag(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text or the value of an attribute that the program made of numbers, ids and words of its own. Escaped all the same.
    pub(super) fn own(&mut self, text: impl std::fmt::Display) -> &mut Self {
        push_escaped(&mut self.0, &text.to_string());
        self
    }

    /// An element with text of the program.
    pub(super) fn element(
        &mut self,
        open: &'static str,
        text: impl std::fmt::Display,
        close: &'static str,
    ) -> &mut Self {
        self.tag(open).own(text).tag(close)
    }

    /// Recorded bytes: visible, escaped, and apart from the direction of the text around.
    pub(super) fn said(&mut self, bytes: &[u8]) -> &mut Self {
        if bytes.is_empty() {
            return self.tag("<i>empty</i>");
        }
        let whole = visible(bytes);
        let cut = whole.char_indices().nth(SHOWN_MAX).and_then(|(at, _)| whole.get(..at));
        self.tag("<bdi>");
        push_escaped(&mut self.0, cut.unwrap_or(&whole));
        self.tag("</bdi>");
        if cut.is_some() {
            let all = super::words::grouped(whole.chars().count() as u64);
            self.element(" <i>(cut here; ", all, " characters in all, custody.json has them)</i>");
        }
        self
    }

    /// As [`Html::said`], within a sentence of the program: marks show where it begins and ends.
    pub(super) fn quoted(&mut self, bytes: &[u8]) -> &mut Self {
        self.tag("\u{201c}").said(bytes).tag("\u{201d}")
    }

    /// As [`Html::said`], of a text.
    pub(super) fn said_text(&mut self, text: &str) -> &mut Self {
        self.said(text.as_bytes())
    }

    /// 64 digits or another long value that is one word, whole.
    pub(super) fn id(&mut self, text: impl std::fmt::Display) -> &mut Self {
        self.element("<code>", text, "</code>")
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if crate::codec::escape::is_visible(c) => out.push(c),
            c => {
                let _infallible = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> String {
        let mut html = Html::default();
        html.said(bytes);
        html.finish()
    }

    #[test]
    fn recorded_text_is_no_markup_and_hides_nothing() {
        assert_eq!(said(b"<script>\"'&"), "<bdi>&lt;script&gt;&quot;&#39;&amp;</bdi>");
        assert_eq!(said("a\u{202e}b\0\x1b[2J\n".as_bytes()), "<bdi>a\\u{202e}b\\x00\\x1b[2J\\n</bdi>");
        assert_eq!(said(b"\xff"), "<bdi>\\xff</bdi>");
        assert_eq!(said(b""), "<i>empty</i>");
        let mut html = Html::default();
        html.own("a\u{200b}<b\n");
        assert_eq!(html.finish(), "a\\u{200b}&lt;b\\u{a}");
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let shown = said("é<".repeat(700).as_bytes());
        assert_eq!(shown.matches("&lt;").count(), SHOWN_MAX / 2);
        assert!(shown.ends_with("(cut here; 1,400 characters in all, custody.json has them)</i>"), "{shown}");
        let whole = said(&vec![b'x'; SHOWN_MAX]);
        assert_eq!(whole.len(), SHOWN_MAX + "<bdi></bdi>".len());
    }
}
