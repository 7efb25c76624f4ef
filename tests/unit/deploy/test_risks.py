import pytest
from pydantic import TypeAdapter, ValidationError

from deploy.risks import Pattern, named


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**/migrations/**", "backend/db/migrations/0001.sql", True),
        ("**/migrations/**", "migrations/0001.sql", True),
        ("**/migrations/**", "backend/migrations.py", False),
        ("backend/*.json", "backend/settings.json", True),
        ("backend/*.json", "backend/a/settings.json", False),
        ("backend/**", "backend/a/b.py", True),
        ("*.tf", "main.tf", True),
        ("*.tf", "infra/main.tf", False),
        ("v?.txt", "v1.txt", True),
        ("a.c", "abc", False),
        ("**/x", "a\nb/x", True),
    ],
)
def test_a_pattern_names_the_paths_it_says(pattern, path, expected):
    assert named([path], (pattern,)) == ((path,) if expected else ())


@pytest.mark.parametrize("pattern", ["", "/etc/**", "a" * 201])
def test_a_pattern_that_cannot_name_anything_here_is_refused(pattern):
    with pytest.raises(ValidationError):
        TypeAdapter(Pattern).validate_python(pattern)
