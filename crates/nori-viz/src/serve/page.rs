//! The page: one document, put together from its parts.

use super::nonce;
use axum::http::header;
use axum::response::{IntoResponse, Response};

const HTML: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// In the order in which they build on each other.
const SCRIPTS: &[&str] = &[
    include_str!("page/model.js"),
    include_str!("page/draw.js"),
    include_str!("page/heat.js"),
    include_str!("page/charts.js"),
    include_str!("page/words.js"),
    include_str!("page/main.js"),
];

/// The page with its policy: only what carries the nonce runs, and only this endpoint is asked.
pub(super) fn response() -> Response {
    let nonce = nonce();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_string()),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, document(&nonce)).into_response()
}

fn document(nonce: &str) -> String {
    HTML.replace("NONCE", nonce)
        .replace("/*STYLE*/", STYLE)
        .replace("/*SCRIPT*/", &SCRIPTS.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = document("abc");
        assert_eq!(page.matches("nonce=\"abc\"").count(), 2);
        for mark in ["NONCE", "/*STYLE*/", "/*SCRIPT*/"] {
            assert!(!page.contains(mark), "{mark}");
        }
        assert_eq!(
            page.matches("<link").count(),
            page.matches("<link rel=\"icon\" href=\"data:,\">").count()
        );
        let elsewhere = ["https:", "//cdn", "@import", " src=", "eval(", "innerHTML"];
        for word in elsewhere {
            assert!(!page.contains(word), "{word}");
        }
        // The name of the drawing language is no address.
        assert_eq!(
            page.matches("http:").count(),
            page.matches("http://www.w3.org/2000/svg").count()
        );
        assert!(
            !page.contains(" style=\"") && !page.contains(" onclick="),
            "the policy forbids it"
        );
        assert_eq!(page.matches("<script").count(), page.matches("</script").count());
    }
}
