import importlib.metadata

project = "crm-core"
author = "The crm-core contributors"
copyright = author  # noqa: A001, RUF100 - Sphinx calls it so
release = importlib.metadata.version("crm-core")
version = ".".join(release.split(".")[:2])

# Inventories of other projects (intersphinx) are left out: they would be fetched at every build.
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "substitution"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "furo"
html_title = f"crm-core {release}"


def setup(app):
    """Let Sphinx show CSV as plain text: Pygments has no lexer for it."""
    from pygments.lexers.special import TextLexer

    app.add_lexer("csv", TextLexer)
