"""Projects: what networks and instances belong to. They nest; a top one's parent is its domain.

Effects: the database. As in Keystone, an enabled project has enabled parents, and only a leaf can be deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, not_, or_, select

from nebula.errors import BadRequest, Forbidden, NotFound
from nebula.model.identity import PROJECT
from nebula.model.identity_standard import Tag, Tags
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.identity import attributes, grants, policy
from nebula_controller.identity.authenticator import Principal
from nebula_controller.identity.collection import Collection, Values
from nebula_controller.identity.policy import Target
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import domains, project_tags, projects

MAX_DEPTH = 5
"""Keystone's ``max_project_tree_depth``, the domain counted."""
_FAMILY = {"parents_as_list", "parents_as_ids", "subtree_as_list", "subtree_as_ids"}


class Projects(Collection):
    """``/v3/projects`` and their tags."""

    resource = PROJECT

    def operations(self) -> list[Operation]:
        """The five calls, and those on tags."""
        tags, tag = "/v3/projects/{id}/tags", "/v3/projects/{id}/tags/{tag}"
        return [
            *super().operations(),
            Operation("GET", tags, self.tags),
            Operation("PUT", tags, self.set_tags),
            Operation("DELETE", tags, self.clear_tags),
            Operation("GET", tag, self.has_tag),
            Operation("HEAD", tag, self.has_tag),
            Operation("PUT", tag, self.add_tag),
            Operation("DELETE", tag, self.remove_tag),
        ]

    def target(self, row: Row[Any]) -> Target:
        """Whoever has a token on the project may see it."""
        return Target(domain_id=row.domain_id, project_id=row.id)

    def before_create(self, tx: Transaction, principal: Principal, values: Values) -> Values:
        """Domain from the parent, or from the caller's scope."""
        if values.pop("is_domain"):
            raise BadRequest("Make a domain with POST /v3/domains.")
        parent_id = values["parent_id"]
        domain_id = values["domain_id"]
        parent = None
        if parent_id and tx.execute(select(domains.c.id).where(domains.c.id == parent_id)).first():
            if domain_id not in {None, parent_id}:
                raise BadRequest("A project's parent and its domain_id name different domains.")
            domain_id, parent_id = parent_id, None
        elif parent_id:
            parent = self.row(tx, parent_id)
            if domain_id not in {None, parent.domain_id}:
                raise BadRequest("A project is in the domain of its parent.")
            domain_id = parent.domain_id
            self._check_parents(tx, parent, values["enabled"])
        return super().before_create(tx, principal, {**values, "parent_id": parent_id, "domain_id": domain_id})

    def before_update(self, tx: Transaction, principal: Principal, row: Row[Any], values: Values) -> Values:
        """Name, description, enabled and tags change; the place in the tree does not."""
        if values.pop("parent_id", None) not in {None, row.parent_id or row.domain_id}:
            raise Forbidden("Update of `parent_id` is not allowed.")
        if values.pop("is_domain", False):
            raise BadRequest("Update of `is_domain` is not allowed.")
        if values.get("enabled") is False and row.enabled:
            if self._children(tx, row.id, enabled_only=True):
                raise Forbidden(f"Cannot disable project {row.id} since its subtree contains enabled projects.")
            values["tokens_valid_after"] = self.site.clock()
        if values.get("enabled") is True and row.parent_id is not None and not self.row(tx, row.parent_id).enabled:
            raise Forbidden(f"Cannot enable project {row.id} since it has disabled parents.")
        return super().before_update(tx, principal, row, values)

    def before_delete(self, tx: Transaction, row: Row[Any]) -> None:
        """Forbidden unless it is a leaf."""
        if self._children(tx, row.id, enabled_only=False):
            raise Forbidden(f"Cannot delete the project {row.id} since it is not a leaf in the hierarchy.")
        grants.drop_on_targets(tx, "project", select(projects.c.id).where(projects.c.id == row.id))

    def after_write(self, tx: Transaction, object_id: str, values: Values) -> None:
        """Tags stand in their own table."""
        if "tags" not in values:
            return
        tx.execute(delete(project_tags).where(project_tags.c.project_id == object_id))
        rows = [{"project_id": object_id, "name": tag} for tag in sorted(set(values["tags"]))]
        if rows:
            tx.execute(insert(project_tags), rows)

    def conditions(self, query: Sequence[tuple[str, str]]) -> list[ColumnElement[bool]]:
        """Also ``parent_id`` (which may be a domain's), ``is_domain`` and the four filters on tags."""
        found = super().conditions(query)
        for name, text in query:
            if name == "parent_id":
                top = and_(projects.c.parent_id.is_(None), projects.c.domain_id == text)
                found.append(or_(projects.c.parent_id == text, top))
            elif name == "is_domain" and text.lower() in {"1", "true"}:
                found.append(projects.c.id.is_(None))
            elif name in {"tags", "tags-any", "not-tags", "not-tags-any"}:
                match = _has_tags(text.split(","), every=not name.endswith("any"))
                found.append(not_(match) if name.startswith("not") else match)
        return found

    def render(self, tx: Transaction, rows: Sequence[Row[Any]], v3_url: str) -> list[Values]:
        """With the tags."""
        shown = super().render(tx, rows, v3_url)
        by_id = {project["id"]: project for project in shown}
        statement = select(project_tags).order_by(project_tags.c.name)
        if len(rows) <= 100:
            statement = statement.where(project_tags.c.project_id.in_(by_id))
        for tag in tx.execute(statement):
            if tag.project_id in by_id:
                by_id[tag.project_id]["tags"].append(tag.name)
        return shown

    def show_row(self, row: Mapping[Any, Any], v3_url: str) -> Values:
        """The parent of a top project is its domain."""
        shown = super().show_row(row, v3_url)
        shown.update(parent_id=row["parent_id"] or row["domain_id"], is_domain=False, tags=[])
        return shown

    def show(self, call: Call) -> Answer:
        """200 with the one; with ``parents_as_list``, ``subtree_as_ids``... also with what is above and below it."""
        answer = super().show(call)
        wanted = {name for name, _text in call.query} & _FAMILY
        if {"parents_as_list", "parents_as_ids"} <= wanted or {"subtree_as_list", "subtree_as_ids"} <= wanted:
            raise BadRequest("Use either the form as_list or the form as_ids, not both.")
        if wanted and isinstance(answer.body, dict):
            user_id = self.site.principal(call).user.id
            with self.site.database.read() as tx:
                family = self._family(tx, call, wanted, user_id)
            answer.body["project"].update(family)
        return answer

    def _family(self, tx: Transaction, call: Call, wanted: set[str], user_id: str) -> Values:
        """Lists hold what the user has a role on; ids are nested as the projects are, ``null`` at the end."""
        project_id, url = call.path["id"], self.site.v3_url(call)
        above, _domain_id = grants.ancestors(tx, project_id)
        below = list(grants.below(tx, "project", project_id)) if wanted & {"subtree_as_list", "subtree_as_ids"} else []
        seen = grants.projects_of(tx, user_id)
        found: Values = {}
        for name, ids in (("parents", above), ("subtree", below)):
            if f"{name}_as_list" in wanted:
                rows = tx.execute(select(projects).where(projects.c.id.in_(seen.intersection(ids)))).all()
                found[name] = [{"project": shown} for shown in self.render(tx, rows, url)]
        if "parents_as_ids" in wanted:
            chain: Values | None = None
            for parent_id in reversed(above):
                chain = {parent_id: chain}
            found["parents"] = chain
        if "subtree_as_ids" in wanted:
            found["subtree"] = self._tree(tx, project_id)
        return found

    def _tree(self, tx: Transaction, project_id: str) -> Values | None:
        children = tx.execute(select(projects.c.id).where(projects.c.parent_id == project_id)).scalars().all()
        return {child: self._tree(tx, child) for child in children} or None

    def tags(self, call: Call) -> Answer:
        """200 with the project's tags."""
        principal = self.site.principal(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "list_project_tags", call)
            shown = self.render(tx, [row], "")[0]
        return Answer(200, {"tags": shown["tags"], "links": {"next": None, "self": call.url, "previous": None}})

    def set_tags(self, call: Call) -> Answer:
        """200 with the tags that now are all."""
        policy.require(self.site.principal(call), "update_project_tags")
        try:
            wanted = msgspec.json.decode(call.raw or b"null", type=_TagList).tags
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(f"The body is not a list of tags: {error}") from error
        with self.site.change(call) as tx:
            row = self._unlocked(tx, call)
            self.after_write(tx, row.id, {"tags": wanted})
        return Answer(200, {"tags": sorted(set(wanted))})

    def clear_tags(self, call: Call) -> Answer:
        """204."""
        policy.require(self.site.principal(call), "delete_project_tags")
        with self.site.change(call) as tx:
            self.after_write(tx, self._unlocked(tx, call).id, {"tags": []})
        return Answer(204)

    def has_tag(self, call: Call) -> Answer:
        """204, or 404."""
        principal = self.site.principal(call)
        with self.site.database.read() as tx:
            row = self.find(tx, principal, "list_project_tags", call)
            if call.path["tag"] not in self.render(tx, [row], "")[0]["tags"]:
                raise NotFound(f"Could not find project tag: {call.path['tag']}.")
        return Answer(204)

    def add_tag(self, call: Call) -> Answer:
        """201."""
        policy.require(self.site.principal(call), "create_project_tag")
        tag = attributes.convert({"tag": call.path["tag"]}, _OneTag).tag
        with self.site.change(call) as tx:
            row = self._unlocked(tx, call)
            self.after_write(tx, row.id, {"tags": [*self.render(tx, [row], "")[0]["tags"], tag]})
        return Answer(201)

    def remove_tag(self, call: Call) -> Answer:
        """204, or 404."""
        policy.require(self.site.principal(call), "delete_project_tag")
        with self.site.change(call) as tx:
            row = self._unlocked(tx, call)
            gone = delete(project_tags).where(project_tags.c.project_id == row.id)
            if tx.execute(gone.where(project_tags.c.name == call.path["tag"])).rowcount == 0:
                raise NotFound(f"Could not find project tag: {call.path['tag']}.")
        return Answer(204)

    def _unlocked(self, tx: Transaction, call: Call) -> Row[Any]:
        row = self.row(tx, call.path["id"])
        self.check_lock(row, {})
        return row

    def _check_parents(self, tx: Transaction, parent: Row[Any], enabled: bool) -> None:
        above, _domain = grants.ancestors(tx, parent.id)
        if len(above) + 3 > MAX_DEPTH:
            raise Forbidden(f"Max hierarchy depth reached for the branch of project {parent.id}.")
        if enabled and not parent.enabled:
            raise BadRequest(f"Cannot create an enabled project below {parent.id}, which is disabled.")

    def _children(self, tx: Transaction, project_id: str, *, enabled_only: bool) -> bool:
        statement = select(projects.c.id).where(projects.c.parent_id == project_id)
        if enabled_only:
            statement = statement.where(projects.c.enabled)
        return tx.execute(statement).first() is not None


class _TagList(msgspec.Struct):
    tags: Tags


class _OneTag(msgspec.Struct):
    tag: Tag


def _has_tags(tags: Sequence[str], *, every: bool) -> ColumnElement[bool]:
    asked = list(dict.fromkeys(tags))
    having = select(project_tags.c.project_id).where(project_tags.c.name.in_(asked))
    if every:
        having = having.group_by(project_tags.c.project_id).having(func.count() == len(asked))
    return projects.c.id.in_(having)
