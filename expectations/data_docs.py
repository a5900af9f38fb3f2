"""A check's result as a page of Data Docs: GX's own rendering, in one file that asks no other host for anything."""

import re
from html import escape

from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from expectations.verdict import Verdict

# GX's page loads Bootstrap and more from public hosts, which a loopback stack may not reach and need not tell.
_FROM_ELSEWHERE = re.compile(
    r'<script[^>]*src="https?://[^>]*>\s*</script>|<link[^>]*href="https?://[^>]*>|<img[^>]*src="https?://[^>]*>'
)

_STYLE = """<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; color: #222; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
td, th { border-bottom: 1px solid #ddd; padding: .35rem .6rem; text-align: left; vertical-align: top; }
.fa-check-circle, .text-success { color: #18794e; } .fa-times, .text-danger { color: #c62a2f; }
.fa-check-circle::before { content: "✓"; } .fa-times::before { content: "✗"; } .badge { padding: 0 .3rem; }
/* What only works with the scripts that were left out. */
nav, .navbar, .modal, .card, a[data-toggle], button, footer { display: none; }
</style></head>"""


def render_page(result: ExpectationSuiteValidationResult, verdict: Verdict) -> str:
    """The HTML of one validation result, under the verdict: it also knows limits that GX does not."""
    document = ValidationResultsPageRenderer().render(result)
    page: str = DefaultJinjaPageView().render(document)
    page = _FROM_ELSEWHERE.sub("", page).replace("</head>", _STYLE, 1)
    return re.sub(r"<body[^>]*>", lambda body: body.group() + _headline(verdict), page, count=1)


def _headline(verdict: Verdict) -> str:
    broken = "".join(
        f"<li><b>{escape(f.rule)}</b>: {escape(str(f.observed))}, limit {escape(str(f.limit))}</li>"
        for f in verdict.broken
    )
    outcome = "passed" if verdict.passed else "refused: nothing of it was published"
    return f"<h1>{escape(verdict.stage)}: {outcome}</h1><ul>{broken}</ul>"
