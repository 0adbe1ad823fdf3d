"""A template's path: the role's own, or the user's."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.filter.role_template import role_template


def test_a_roles_own_template_gets_its_path_and_any_other_name_stays(tmp_path):
    own = tmp_path / "templates" / "job.yml.j2"
    own.parent.mkdir()
    own.write_text("kind: Job")

    assert role_template("job.yml.j2", str(tmp_path)) == str(own)
    assert role_template("mine.yml.j2", str(tmp_path)) == "mine.yml.j2"
    assert role_template("/somewhere/mine.yml.j2", str(tmp_path)) == "/somewhere/mine.yml.j2"
