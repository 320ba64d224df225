"""``/v3/auth``: making, checking and giving back tokens, and what a token's bearer may ask about itself.

Effects: the database, password threads. Whatever is wrong with a login (no such user, wrong password, disabled,
no role on the scope) gets the same 401, a password is checked in the same time for a user that does not exist.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from nebula.errors import Forbidden, NotFound, Unauthorized
from nebula_controller.api.endpoint import OPEN_LIMIT_BYTES, Answer, Call, Operation
from nebula_controller.identity import grants, policy
from nebula_controller.identity.authenticator import Principal, principal_of, user_standing
from nebula_controller.identity.collection import Values, listing
from nebula_controller.identity.credentials import Credentials, ScopeWish, find_project
from nebula_controller.identity.domains_api import Domains
from nebula_controller.identity.policy import Target
from nebula_controller.identity.projects_api import Projects
from nebula_controller.identity.proofs import REFUSED, Proof, by_application_credential, by_password, by_token
from nebula_controller.identity.services_api import catalogue
from nebula_controller.identity.site import Site
from nebula_controller.identity.token import ScopeKind, TokenContent, new_audit_id
from nebula_controller.identity.tokenbody import token_body
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables.identity import domains, projects, revocations


class Login:
    """All calls below ``/v3/auth``."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def operations(self) -> list[Operation]:
        """The routes."""
        tokens = "/v3/auth/tokens"
        return [
            Operation("POST", tokens, self.log_in, open=True, limit_bytes=OPEN_LIMIT_BYTES),
            Operation("GET", tokens, self.validate),
            Operation("HEAD", tokens, self.validate),
            Operation("DELETE", tokens, self.revoke),
            Operation("GET", "/v3/auth/catalog", self.catalog),
            Operation("GET", "/v3/auth/projects", self.projects),
            Operation("GET", "/v3/auth/domains", self.domains),
            Operation("GET", "/v3/auth/system", self.system),
        ]

    async def log_in(self, call: Call) -> Answer:
        """201 with the token in ``X-Subject-Token``."""
        wanted = Credentials.read(call.raw)
        now = self.site.clock()
        proofs: list[Proof] = []
        if wanted.password is not None:
            proofs.append(await by_password(self.site, wanted.password, now, call.source))
        if wanted.token is not None:
            proofs.append(by_token(self.site, wanted.token))
        if wanted.application_credential is not None:
            proofs.append(await by_application_credential(self.site, wanted.application_credential, now, call.source))
        if len({proof.user_id for proof in proofs}) != 1:
            raise Unauthorized(REFUSED)
        base_url = self.site.base_url(call)
        with self.site.database.read() as tx:
            principal = self._scoped(tx, wanted.scope, proofs, now)
            body = token_body(tx, principal, base_url, with_catalogue=not _without_catalogue(call))
        token = self.site.codec.encode(principal.content)
        return Answer(201, body, {"X-Subject-Token": token, "Vary": "X-Auth-Token"})

    def validate(self, call: Call) -> Answer:
        """200 with what ``X-Subject-Token`` says; 404 where it is void."""
        principal = self.site.principal(call)
        subject = self._subject(call)
        policy.require(principal, "validate_token", Target(domain_id=subject.user.domain_id, user_id=subject.user.id))
        base_url = self.site.base_url(call)
        with self.site.database.read() as tx:
            body = token_body(tx, subject, base_url, with_catalogue=not _without_catalogue(call))
        token = call.headers.get("x-subject-token", "")
        return Answer(200, body, {"X-Subject-Token": token, "Vary": "X-Auth-Token"})

    def revoke(self, call: Call) -> Answer:
        """204; the token is void from now on."""
        principal = self.site.principal(call)
        subject = self._subject(call)
        policy.require(principal, "revoke_token", Target(user_id=subject.user.id))
        with self.site.change(call) as tx:
            tx.execute(delete(revocations).where(revocations.c.expires_at < self.site.clock()))
            tx.execute(
                insert(revocations).values(audit_id=subject.content.audit_ids[0], expires_at=subject.content.expires_at)
            )
        return Answer(204)

    def catalog(self, call: Call) -> Answer:
        """200 with the catalogue as the token's scope has it."""
        principal = self.site.principal(call)
        if principal.content.scope is ScopeKind.NONE:
            raise Forbidden("A scoped token is required to produce a service catalog.")
        with self.site.database.read() as tx:
            body = catalogue(tx, self.site.base_url(call), principal.caller.project_id)
        return Answer(200, listing("catalog", body, call))

    def projects(self, call: Call) -> Answer:
        """200 with the enabled projects that the bearer can scope to."""
        principal = self.site.principal(call)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            usable = (projects.c.enabled, projects.c.domain_id.in_(select(domains.c.id).where(domains.c.enabled)))
            mine = projects.c.id.in_(grants.projects_of(tx, principal.user.id))
            rows = tx.execute(select(projects).where(mine, *usable).order_by(projects.c.name)).all()
            shown = Projects(self.site).render(tx, rows, url)
        return Answer(200, listing("projects", shown, call))

    def domains(self, call: Call) -> Answer:
        """200 with the enabled domains that the bearer can scope to."""
        principal = self.site.principal(call)
        url = self.site.v3_url(call)
        with self.site.database.read() as tx:
            held = grants.grants_of_user(tx, principal.user.id)
            ids = {grant.target_id for grant in held if grant.target_kind == "domain" and not grant.inherited}
            rows = tx.execute(select(domains).where(domains.c.id.in_(ids), domains.c.enabled)).all()
            shown = Domains(self.site).render(tx, rows, url)
        return Answer(200, listing("domains", shown, call))

    def system(self, call: Call) -> Answer:
        """200; ``[{"all": true}]`` for who can scope to the system."""
        principal = self.site.principal(call)
        with self.site.database.read() as tx:
            held = grants.grants_of_user(tx, principal.user.id)
        targets: list[Values] = [{"all": True}] if any(grant.target_kind == "system" for grant in held) else []
        return Answer(200, listing("system", targets, call))

    def _subject(self, call: Call) -> Principal:
        try:
            return self.site.authenticator.principal(call.headers.get("x-subject-token", ""))
        except Unauthorized as error:
            raise NotFound("Could not find token.") from error

    def _scoped(self, tx: Transaction, scope: ScopeWish, proofs: list[Proof], now: float) -> Principal:
        """The principal on the scope that was asked for; else on the user's default project, if that is possible."""
        user = user_standing(tx, proofs[0].user_id)
        if user is None:
            raise Unauthorized(REFUSED)
        only = next((proof for proof in proofs if proof.only_project_id), None)
        chain = [proof.chain_audit_id for proof in proofs if proof.chain_audit_id]

        def on(kind: ScopeKind, scope_id: str) -> Principal:
            content = TokenContent(
                user_id=user.party.id,
                methods=tuple(sorted({method for proof in proofs for method in proof.methods})),
                scope=kind,
                scope_id=scope_id,
                issued_at=now,
                expires_at=min(proof.expires_at for proof in proofs),
                audit_ids=(new_audit_id(), *chain[:1]),
                application_credential_id=only.application_credential_id if only else "",
            )
            return principal_of(tx, content, user.party)

        if scope.kind is not ScopeKind.NONE:
            scope_id = find_project(tx, scope) if scope.kind is ScopeKind.PROJECT else scope.find_domain(tx)
            if only is not None and (scope.kind, scope_id) != (ScopeKind.PROJECT, only.only_project_id):
                raise Unauthorized("An application credential is good on its own project only.")
            return on(scope.kind, scope_id)
        if only is not None:
            return on(ScopeKind.PROJECT, only.only_project_id)
        default = proofs[0].default_project_id
        if default and not scope.explicitly_none:
            try:
                return on(ScopeKind.PROJECT, default)
            except Unauthorized:
                pass
        return on(ScopeKind.NONE, "")


def _without_catalogue(call: Call) -> bool:
    return any(name == "nocatalog" for name, _text in call.query)
