"""Sphinx: sphinx-build -W -b html docs docs/_build/html. Nothing is fetched from the network."""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'src'))

from dotlatch import __version__  # noqa: E402  # it is there now

project = 'dotlatch'
author = 'the dotlatch contributors'
project_copyright = author
version = release = __version__

extensions = ['sphinx.ext.autodoc']
exclude_patterns = ['_build']
nitpicky = False
default_role = 'literal'
highlight_language = 'python'
templates_path = []

autodoc_member_order = 'bysource'
autodoc_typehints = 'none'  # the descriptions say the types; most of the annotations are for the type checker
autodoc_preserve_defaults = True

html_theme = 'furo'
html_title = f'dotlatch {release}'
html_static_path = ['_static']
html_css_files = ['pages.css']
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    'light_css_variables': {'color-brand-primary': '#0b6b57', 'color-brand-content': '#0b6b57'},
    'dark_css_variables': {'color-brand-primary': '#4cc3a5', 'color-brand-content': '#4cc3a5'},
}
