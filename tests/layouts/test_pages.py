"""Tests of rethinkdc.layouts.pages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rethinkdc.errors import DataError
from rethinkdc.layouts.pages import check_pages

HEAD = """dataset_info:
  features:
  - name: label
    dtype:
      class_label:
        names:
"""


def write_page(folder: Path, *names: str, name: str = "README.md") -> None:
    """A page whose label has names, each under its number."""
    content = HEAD + "".join(f"          {each}\n" for each in names)
    (folder / name).write_text(f"---\n{content}---\n# A dataset\n" if name.endswith(".md") else content)


@pytest.mark.parametrize("name", ["README.md", ".huggingface.yaml"])
def test_a_number_far_beyond_the_names_is_refused(tmp_path: Path, name: str) -> None:
    write_page(tmp_path, "'0': cat", "'1000000000': dog", name=name)
    with pytest.raises(DataError, match=rf"{name} names 2 classes and numbers them up to 1,000,000,000"):
        check_pages(tmp_path)


def test_a_number_that_is_too_long_to_print_is_refused(tmp_path: Path) -> None:
    write_page(tmp_path, f"'{'9' * 400}': cat")
    with pytest.raises(DataError, match=r"up to more than 10\^18"):
        check_pages(tmp_path)


def test_numbers_without_a_gap_are_taken(tmp_path: Path) -> None:
    write_page(tmp_path, "'0': cat", "'1': dog")
    check_pages(tmp_path)


@pytest.mark.parametrize("text", ["no head", "---\n[\n---\n", "---\na: &a [*a]\n---\n", "---\n- a\n---\n", "\0"])
def test_what_is_wrong_otherwise_is_left_to_the_library(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(text)
    check_pages(tmp_path)


def test_aliases_that_multiply_are_walked_once(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60))]
    (tmp_path / "README.md").write_text("---\n" + "\n".join(rows) + "\n---\n")
    check_pages(tmp_path)


def test_a_pipe_is_refused_before_it_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "README.md")
    with pytest.raises(DataError, match=r"Cannot read .*README\.md"):
        check_pages(tmp_path)
