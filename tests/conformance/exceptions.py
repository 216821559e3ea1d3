"""Where the built-in server differs from kube-apiserver v1.20.2 on purpose: one table, each row with its reason.

A row covers a difference when the case, the place and, where given, both values match. A row that covers nothing any
more fails the suite, and so does a case in `cases` that does not need it: a difference that vanished is taken out here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .comparing import Difference


@dataclass(frozen=True, slots=True)
class Deliberate:
    """One difference. `cases` are names or patterns of names; `where`, `real` and `ours` are regular expressions."""

    name: str
    cases: tuple[str, ...]
    where: str
    what: str
    why: str
    real: str = ""
    ours: str = ""

    def meant_for(self, case: str) -> bool:
        return any(fnmatchcase(case, pattern) for pattern in self.cases)

    def covers(self, case: str, found: Difference) -> bool:
        """Tell whether this is the difference that the row speaks of."""
        if not self.meant_for(case) or not re.search(self.where, found.path):
            return False
        pairs = ((self.real, found.real), (self.ours, found.ours))
        return all(re.search(pattern, str(value)) is not None for pattern, value in pairs)


EXCEPTIONS: tuple[Deliberate, ...] = (
    Deliberate(
        name="revision-of-a-deletion",
        cases=("access/an-account",),
        where=r"metadata\.resourceVersion$",
        what="the object that answers a deletion carries the revision of the deletion, as the watch event does",
        why="v1.20 shows the object as it was stored last",
    ),
    Deliberate(
        name="parts-that-are-always-there",
        cases=(
            "access/*binding*",
            "access/*bind",
            "access/*subject*",
            "access/*right*",
            "access/*giving*",
            "access/escalate",
            "access/*-review-of-*",
            "access/apply*",
            "access/a-role-without-rules",
        ),
        where=r"managedFields",
        what="whoever made an object owns its empty and its always present parts too (roleRef, rules: null)",
        why="v1.20 compares with an empty Go struct, in which these are there already; nothing can be lost by owning "
        "them",
    ),
    Deliberate(
        name="reviews-have-no-field-owners",
        cases=("access/a-review-*",),
        where=r"managedFields",
        real="judge",
        ours="absent",
        what="reviews carry no managedFields",
        why="they are never stored, so there is nothing to own",
    ),
    Deliberate(
        name="reviews-name-their-kind-in-errors",
        cases=("access/a-review-*",),
        where=r"message$|details.kind",
        real=r"^\.authorization|absent",
        what="the error of a malformed review names its kind",
        why="v1.20 forgets it: the text begins with a dot",
    ),
    Deliberate(
        name="why-apply-is-refused",
        cases=("access/apply-without-create",),
        where=r"message$",
        real="is forbidden: $",
        ours="cannot create",
        what="the refusal of an apply that would create says which right is missing",
        why="v1.20 ends after the colon, which tells the caller nothing",
    ),
    Deliberate(
        name="status-for-unknown-paths",
        cases=(
            "reading/by-*",
            "reading/with-two-slashes",
            "reading/a-cluster-wide-path-to-one-namespaced-object",
            "ugly/path-a-version-that-there-is-not",
            "ugly/path-a-resource-that-there-is-not",
            "ugly/path-post-to-all-namespaces",
            "removing/collection-of-all-namespaces",
            "watching/of-a-kind-that-there-is-not",
        ),
        where=r"body|headers.content-type",
        real="404 page not found|text/plain",
        ours="the server could not find the requested resource|application/json",
        what="a path that does not exist is answered with a Status instead of the text 404 page not found",
        why="every error has one form; client-go makes the same Status of the text",
    ),
    Deliberate(
        name="paths-below-an-object",
        cases=("reading/a-part-that-there-is-not", "reading/a-part-of-a-part", "reading/a-name-with-an-escaped-slash"),
        where=r"code|body",
        what="an unknown subresource is a path that does not exist, and nothing is served below /status",
        why="v1.20 says of an unknown subresource of a custom resource that the object is not there, though it is, and "
        "ignores what follows a known one; both hide a mistake in the path",
    ),
    Deliberate(
        name="a-revision-that-is-no-number-is-the-callers-mistake",
        cases=(
            "reading/at-a-*-revision",
            "reading/at-a-revision-that-is-no-number",
            "lists/a-revision-that-is-no-number",
            "lists/a-negative-revision",
        ),
        where=r"code|reason",
        real="500|absent",
        ours="400|BadRequest",
        what="400 BadRequest with the same text instead of 500",
        why="5xx tells clients to try again; nothing in the server failed",
    ),
    Deliberate(
        name="items-of-lists-name-their-kind",
        cases=(
            "lists/three-of-a-built-in-kind",
            "lists/fields-one-that-secrets-have",
            "removing/collection-of-a-built-in-kind",
        ),
        where=r"items\[\d+\]\.(apiVersion|kind)$",
        real="absent",
        what="items in lists of built-in kinds carry apiVersion and kind, as those of custom resources do",
        why="stored bytes go out as they are, which is what makes lists fast; clients ignore the two fields",
    ),
    Deliberate(
        name="limit-with-revision-0",
        cases=("lists/a-limit-with-revision-0",),
        where=r"items|continue|remainingItemCount",
        what="limit holds for a list at resourceVersion 0 too; v1.20 answers everything out of its cache",
        why="from 1.31 on the cache pages too (https://kep.k8s.io/4988, list from cache snapshots)",
    ),
    Deliberate(
        name="texts-of-go-decoders",
        cases=(
            "lists/a-token-*",
            "ugly/body-*",
            "ugly/built-in-body-*",
            "ugly/path-put-without-a-body",
            "update/with-a-number-as-revision",
            "patches/json-an-operation-that-is-no-object",
            "patches/json-an-object-instead-of-a-list",
            "patches/json-text",
            "patches/strategic-a-list",
            "patches/strategic-broken",
            "applying/yaml-that-is-broken",
            "applying/a-list",
            "applying/a-text",
            "secrets/with-*base64*",
            "secrets/of-a-type-that-is-a-number",
            "secrets/that-is-immutable-in-words",
            "create/a-label-that-is-a-number*",
            "create/labels-that-are-a-list*",
        ),
        where=r"message$",
        real="invalid character|illegal base64|unexpected end of JSON|json: cannot|unmarshalerDecoder|ReadString|"
        "readObject|decode slice|ReadMap|parsing time|ReadInt|assertInteger|readUint64|base64Codec|unknown conversion|"
        "is registered|yaml: |unexpected EOF|illegal base64|ReadBool",
        what="where a body cannot be decoded, the words are our own, and nothing of the body is repeated",
        why="v1.20 quotes Go's decoders, the body around the fault included: the body may hold a secret",
    ),
    Deliberate(
        name="warnings-of-unknown-fields",
        cases=(
            "lists/at-a-revision-before-a-change",
            "create/*",
            "ugly/*",
            "update/unknown-fields-are-pruned",
            "patches/*",
            "status/put-of-an-unknown-field",
        ),
        where=r"headers.warning",
        real="absent",
        ours="unknown field|duplicate field",
        what="Warning headers name fields that were pruned or given twice",
        why="fieldValidation, Warn by default, came with v1.25 (https://kep.k8s.io/2885)",
    ),
    Deliberate(
        name="reason-of-type-errors",
        cases=("create/*", "patches/*", "status/put-of-an-invalid-status", "status/a-wrong-type"),
        where=r"causes\[\d+\]\.reason$",
        real="FieldValueInvalid",
        ours="FieldValueTypeInvalid",
        what="a value of the wrong type has the reason FieldValueTypeInvalid",
        why="so since v1.22 (apimachinery field.ErrorTypeTypeInvalid)",
    ),
    Deliberate(
        name="indices-in-paths",
        cases=(
            "create/a-null-item-of-a-list",
            "create/a-required-field-is-missing",
            "create/two-required-fields-are-missing",
            "create/several-errors-at-once",
        ),
        where=r"message$|field$|reason$",
        what="the path of a cause names the item of a list: spec.operatingSystem.allowed[0].id",
        why="so since v1.25 (kube-openapi validation); without it nobody finds the item",
    ),
    Deliberate(
        name="names-of-our-kinds-are-labels",
        cases=("create/a-dot-in-a-name", "create/a-name-of-253-characters"),
        where=r"code|body",
        ours="422|must be a DNS label",
        what="objects of the five kinds have DNS labels as names",
        why="names become parts of host names, units and files; admission says so, which a definition cannot",
    ),
    Deliberate(
        name="a-callers-mistake-is-not-500",
        cases=(
            "create/a-resourceversion-on-a-new-object*",
            "update/with-a-revision-that-is-no-number",
            "patches/merge-a-text",
            "patches/merge-null",
            "patches/merge-a-number",
            "patches/merge-broken",
            "patches/merge-empty",
            "patches/merge-a-revision-that-is-no-number",
            "patches/strategic-a-directive-that-there-is-not",
            "patches/owners-without-a-uid",
            "applying/finalizers-twice-the-same",
            "applying/a-condition-twice",
            "applying/a-condition-without-a-type",
            "applying/no-kind",
            "applying/another-kind",
            "applying/an-unknown-field",
            "applying/a-secret-with-an-unknown-field",
            "applying/a-secret-of-the-wrong-type",
            "watching/at-a-*-revision",
            "watching/at-a-revision-that-is-no-number",
            "ugly/body-no-version",
            "removing/*that-is-a-number",
            "removing/*that-is-a-text",
            "removing/*that-are-a-list",
            "removing/*broken*",
            "removing/another-kind-of-options",
            "ugly/body-bytes-that-are-no-text",
        ),
        where=r"code|reason|message|details",
        ours="400|BadRequest|Object 'apiVersion' is missing|could not be decoded|absent|not a DeleteOptions|not a JSON object|"
        "unable to apply patch|cannot be handled as",
        what="400 BadRequest instead of 500",
        why="5xx tells clients to try again; nothing in the server failed",
    ),
    Deliberate(
        name="fields-that-are-reset-are-not-owned",
        cases=(
            "create/a-deletiontimestamp-on-a-new-object",
            "create/a-status-on-a-new-object-is-dropped",
            "update/a-status-is-not-changed",
            "update/a-status-stays-when-it-is-left-out",
            "status/*-leaves-*",
            "patches/*-status-is-not-changed",
        ),
        where=r"fieldsV1\.f:(metadata|status)$|resourceVersion",
        what="managedFields do not name what the server dropped from the body, so such a write changes nothing",
        why="so since v1.22 for status (resetFields); v1.20 calls somebody the owner of what is not there",
    ),
    Deliberate(
        name="values-in-messages-about-owners",
        cases=("create/an-event-as-an-owner", "create/two-controllers"),
        where=r"message$",
        real="OwnerReference{",
        what="the message does not repeat the owner references",
        why="v1.20 prints Go structures with addresses of its memory",
    ),
    Deliberate(
        name="text-must-be-utf-8",
        cases=("ugly/body-bytes-that-are-no-text-in-a-value", "ugly/body-half-a-surrogate"),
        where=r"code|body",
        ours="400|BadRequest|could not be decoded|absent",
        what="a body that is not UTF-8 is refused as a whole",
        why="v1.20 puts the replacement character in its place and then complains of that, or stores it",
    ),
    Deliberate(
        name="no-index-of-paths",
        cases=("ugly/path-the-root", "ugly/path-nowhere"),
        where=r"code|body",
        what="the root is not there, and a 404 does not list all paths",
        why="discovery says what is served; clients do not read the index",
    ),
    Deliberate(
        name="methods",
        cases=(
            "removing/a-part-of-an-object",
            "patches/merge-to-a-collection",
            "status/post-is-not-for-it",
            "update/put-to-the-collection",
            "ugly/path-post-to-one-object",
            "ugly/path-a-method-that-there-is-not",
            "ugly/path-options",
            "ugly/path-trace",
        ),
        where=r"code|body|content-type",
        ours="405|400|MethodNotAllowed|does not allow this method|text/plain|Invalid HTTP request|absent",
        what="a method that the path does not know is 405 in one sentence; one that HTTP does not know is refused by "
        "the HTTP parser",
        why="v1.20 reads the body of a POST to one object first, and has no word for a method without a verb",
    ),
    Deliberate(
        name="escapes-that-are-none",
        cases=("ugly/path-a-bad-escape", "ugly/path-a-query-that-is-broken"),
        where=r"code|body|content-type",
        what="a broken percent escape stays as it is and is judged as such",
        why="v1.20 answers with plain text for the path and drops the parameter silently for the query, so that a list "
        "has no limit",
    ),
    Deliberate(
        name="www-authenticate",
        cases=("ugly/wrong-credentials", "ugly/credentials-*"),
        where=r"headers.www-authenticate",
        real="absent",
        what="401 says in WWW-Authenticate which scheme is wanted",
        why="RFC 9110 asks for it",
    ),
    Deliberate(
        name="head",
        cases=("ugly/head-of-one-object", "ugly/head-of-the-collection"),
        where=r"code$",
        real="200",
        ours="405",
        what="HEAD of a resource is 405",
        why="so for the built-in kinds of kube-apiserver; custom resources take it for GET by accident",
    ),
    Deliberate(
        name="the-write-that-ends-a-deletion",
        cases=(
            "removing/what-is-held-and-then-let-go",
            "removing/what-is-held-of-a-built-in-kind",
            "update/the-last-finalizer-goes",
            "patches/merge-the-last-finalizer-goes",
            "watching/a-change-of-a-finalizer-while-being-deleted",
        ),
        where=r"resourceVersion$|finalizers$|f:metadata$",
        what="the write that removes the last finalizer answers with the revision of the deletion, and watches show the "
        "object without that finalizer",
        why="v1.20 answers with the revision before it; a watch there shows the finalizer that the caller had just "
        "removed",
    ),
    Deliberate(
        name="help-of-the-name-column",
        cases=("removing/*-as-a-table", "forms/*", "watching/as-tables*"),
        where=r"columnDefinitions\[0\]\.description$",
        real="http://kubernetes.io/docs/user-guide/identifiers#names",
        what="the page about names is linked where it is now",
        why="the text of v1.27 and later",
    ),
    Deliberate(
        name="subresource-of-managers",
        cases=("status/*", "update/a-status-stays-when-it-is-left-out"),
        where=r"managedFields\[\d+\]\.subresource$",
        real="absent",
        ours="status",
        what="entries of managedFields name the subresource, and those of different subresources are apart",
        why="so since v1.22 (https://kep.k8s.io/555); the suite puts them together to compare the fields",
    ),
    Deliberate(
        name="why-a-patch-does-not-apply",
        cases=("status/json-patch-below-what-is-not-there", "patches/json-*"),
        where=r"message$",
        real="the server rejected our request due to an error in our request$",
        ours="the server rejected our request due to an error in our request: ",
        what="the message goes on with the reason",
        why="v1.20 does not say which operation failed",
    ),
    Deliberate(
        name="numbers",
        cases=(
            "status/a-whole-number-written-as-a-fraction",
            "status/a-number-that-is-too-large",
            "status/a-very-large-number",
        ),
        where=r"status.clusters$|code|body",
        ours="3.0|4.*|Number out of range|BadRequest|must be at most|absent",
        what="3.0 stays as it was written; an integer beyond 64 bits is refused with its limit; 1e400 is no JSON number here",
        why="JSON has one kind of number; v1.20 calls the large one a number where an integer is wanted, and repeats the "
        "whole object in the message about 1e400",
    ),
    Deliberate(
        name="no-keys-of-the-storage-in-messages",
        cases=("update/another-uid",),
        where=r"message$",
        real="StorageError",
        ours="Precondition failed: UID in precondition",
        what="the message has the precondition alone",
        why="v1.20 wraps it in an error of its storage with etcd's key",
    ),
    Deliberate(
        name="times-in-messages",
        cases=("update/a-deletiontimestamp-is-not-set-by-a-caller",),
        where=r"causes",
        what="a time in a message is written as in the object",
        why="v1.20 prints Go's own form",
    ),
    Deliberate(
        name="causes-once",
        cases=(
            "update/bad-labels",
            "*/*a-finalizer-is-added-while-being-deleted",
            "patches/*-another-uid",
            "patches/strategic-owners-merge-by-uid",
            "patches/strategic-an-owner-without-uid",
            "applying/a-uid-that-is-another",
        ),
        where=r"message$|causes",
        what="every cause is told once",
        why="v1.20 checks metadata twice on update, and tells all twice",
    ),
    Deliberate(
        name="no-paths-of-watches",
        cases=("watching/the-old-path-*",),
        where=r"code|body",
        what="/watch/ in a path is not served",
        why="deprecated since v1.11; clients use watch=true",
    ),
    Deliberate(
        name="labels-of-namespaces",
        cases=("watching/a-namespace-by-name",),
        where=r"labels|managedFields",
        what="a Namespace has the label kubernetes.io/metadata.name, and its finalizer and phase have no owner but it",
        why="so since v1.21 (https://kep.k8s.io/2161)",
    ),
    Deliberate(
        name="history-begins-at-the-first-revision",
        cases=("watching/at-revision-1*",),
        where=r"body",
        real="too old resource version|ERROR",
        what="a watch can begin at any revision that was not compacted",
        why="v1.20 keeps what fits into its cache; here history is in the store",
    ),
    Deliberate(
        name="texts-of-what-is-forgotten",
        cases=("watching/at-a-revision-that-was-forgotten",),
        where=r"message$",
        real="too old resource version: ",
        ours="The resourceVersion for the provided watch or list is too old.",
        what="the words of etcd's storage instead of those of the cache",
        why="there is no cache; reason and code, which clients look at, are the same",
    ),
    Deliberate(
        name="match-of-a-watch",
        cases=("watching/with-a-match",),
        where=r"message$|causes",
        ours="sendInitialEvents|…",
        what="the texts name sendInitialEvents",
        why="streaming lists came with v1.27 (https://kep.k8s.io/3157)",
    ),
    Deliberate(
        name="empty-maps-are-owned",
        cases=("applying/empty-labels", "applying/an-empty-object", "applying/an-empty-object-where-*"),
        where=r"code|body",
        what="who applies an empty map owns it, so its object counts as applied from then on",
        why="so in later versions (structured-merge-diff v6, toFieldSetWalker.visitMapItems); v1.20 forgets it, and then "
        "takes every default of the server for the work of a manager named before-first-apply",
    ),
    Deliberate(
        name="each-endpoint-owns-its-part",
        cases=(
            "applying/status-is-not-for-the-main-endpoint",
            "applying/spec-is-not-for-the-status",
            "applying/the-status",
            "applying/conditions-are-keyed-by-type",
            "applying/a-condition-conflicts",
        ),
        where=r"managedFields|code$|body$",
        real="f:status|409|before-first-apply",
        what="an apply to the object neither sets nor owns its status, one to /status nothing but the status, and neither "
        "is refused for what it does not set",
        why="so since v1.22 (resetFields, https://kep.k8s.io/555)",
    ),
    Deliberate(
        name="an-apply-of-another-type",
        cases=("applying/a-wrong-type",),
        where=r"code|body",
        ours="422|Invalid|must be of type array",
        what="a value of the wrong type in an apply is told as in any other write",
        why="v1.20 answers 500, which says that the server failed, and repeats the value",
    ),
    Deliberate(
        name="an-apply-at-a-revision-makes-nothing",
        cases=("applying/a-revision-of-what-is-not-there",),
        where=r"code|body",
        ours="400|resourceVersion should not be set on objects to be created",
        what="an apply that names a revision is refused when the object is not there",
        why="v1.20 makes the object anew, though the caller wanted to change one that it had seen and that somebody has "
        "deleted since; create refuses a revision in both",
    ),
    Deliberate(
        name="patches-must-have-values",
        cases=("patches/json-add-without-a-value", "patches/json-replace-without-a-value"),
        where=r"code|body",
        ours="400|has no value",
        what="add and replace without a value are refused",
        why="RFC 6902 asks for a value (4.1, 4.3); v1.20 takes what was forgotten for null and empties the field",
    ),
    Deliberate(
        name="patches-of-the-whole-document",
        cases=("patches/json-the-whole-document",),
        where=r"message$|details$",
        ours="metadata.resourceVersion",
        what="a JSON patch can replace the whole document, which then is judged as a PUT",
        why="RFC 6901 has the empty pointer for it; v1.20 cannot and does not say so",
    ),
    Deliberate(
        name="no-objects-in-messages-about-patches",
        cases=(
            "patches/json-a-built-in-kind-of-the-wrong-type",
            "patches/merge-a-list",
            "patches/merge-no-kind",
            "patches/merge-a-label-that-is-a-number",
            "patches/merge-metadata-is-a-text",
            "patches/merge-a-built-in-kind-*",
            "patches/strategic-*the-wrong-type",
        ),
        where=r"message$",
        real=r"^(.* is invalid: patch: )?Invalid value: \"",
        ours="cannot be handled as|the object provided is unrecognized",
        what="the message says what is wrong with the object that the patch makes, without the object",
        why="v1.20 repeats the whole object or the patch: the data of a Secret in an error and in every log that has it",
    ),
    Deliberate(
        name="directives-where-there-is-no-list",
        cases=("patches/strategic-an-owner-is-deleted", "patches/strategic-owners-are-replaced"),
        where=r"code|body",
        real="422|must not be empty",
        ours="200|Secret",
        what="$patch in an item of a list is obeyed where the object has no such list yet",
        why="v1.20 puts the directive itself into the object as an item, which then is invalid",
    ),
    Deliberate(
        name="media-types-in-any-case",
        cases=("patches/a-content-type-in-upper-case",),
        where=r"code|body",
        real="415",
        what="the media type of a body may be written in upper case",
        why="media types have no case (RFC 9110, 8.3.1)",
    ),
    Deliberate(
        name="keys-in-paths-of-secrets",
        cases=("secrets/for-basic-authentication-without-anything", "secrets/for-ssh-without-a-key"),
        where=r"message$|field$",
        real=r"data\[%s\]|…",
        what="the path of a missing key is data[username]",
        why="v1.20 forgot to fill in a placeholder: data[%s][username]",
    ),
    Deliberate(
        name="why-a-secret-is-no-json",
        cases=("secrets/for-a-registry-that-is-no-json",),
        where=r"message$",
        real="invalid character",
        ours="<secret contents redacted>.: is not JSON",
        what="the message does not go on with the place of the fault",
        why="v1.20 quotes Go's decoder, which shows a character of the secret",
    ),
)
