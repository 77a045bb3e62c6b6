"""A hook of MkDocs: every notebook of the documentation becomes a page, with the outputs that are stored in it.

What says `no-run` to the tests is a block of code to the reader. Formulae become MathML, which browsers draw by
themselves: pages work on closed networks, without scripts of others.
"""

import re
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$\n]+?)\$(?!\w)", re.DOTALL)
NOT_RUN = re.compile(r"^( *```\w+) no-run *$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page beside each notebook; the notebook itself stays, to be downloaded."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        path = Path(notebook.src_uri)
        body, figures = page(Path(str(notebook.abs_src_path)), path.stem)
        files.append(File.generated(config, str(path.with_suffix(".md")), content=body))
        for name, content in figures.items():
            files.append(File.generated(config, str(path.parent / name), content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fences without the mark that is for the tests: Markdown takes a fence with an unknown word for text."""
    return NOT_RUN.sub(r"\1", markdown)


def page(path: Path, name: str) -> tuple[str, dict[str, bytes]]:
    """Markdown of a notebook, and its figures by their path beside it."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(_mathml, cell.source).replace(".ipynb)", ".md)")
    resources = {"output_files_dir": f"{name}_files"}
    body, resources = MarkdownExporter().from_notebook_node(notebook, resources=resources)
    title, _, rest = body.partition("\n")
    return f"{title}\n\n[Download the notebook]({path.name}) and run it yourself.\n{rest}", resources["outputs"]


def _mathml(formula: re.Match[str]) -> str:
    return convert(formula["block"] or formula["inline"], display="block" if formula["block"] else "inline").strip()
