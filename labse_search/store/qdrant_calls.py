"""What every call on a Qdrant server goes through: the connection and its errors, which collection a name means, whose
it is, and our entry in its metadata."""

from __future__ import annotations

import contextlib
import platform
import re
import time
from collections.abc import Callable
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
from qdrant_client.local.qdrant_local import QdrantLocal

from labse_search.errors import CollectionForeign, StoreUnavailable
from labse_search.home import at_home
from labse_search.naming import generation_name, split_generation
from labse_search.records import CollectionSpec
from labse_search.store.payload import missing

TIMEOUT_SECONDS = 30
SERVING = "@serving"  # ends the alias that names the generation which answers
ALIAS_SECONDS = 2.0  # how long what it names is believed
SPEC_KEY = "labse_search"  # our entry in the collection's metadata

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

T = TypeVar("T")


class ServerCalls:
    """The base of ServerStore, without the protocol's calls."""

    def __init__(
        self, client: QdrantClient, location: str, home: str | None = None, folder: Path | None = None
    ) -> None:
        """`home`: home_id() of who asks. With None every collection may be changed. `folder`: where that home lies."""
        self._folder = folder
        self.location = location
        self._home = home
        self._client = client
        self._local = isinstance(getattr(client, "_client", None), QdrantLocal)
        self._served: tuple[float, dict[str, str]] = (-ALIAS_SECONDS, {})
        self._records: dict[str, dict[str, Any]] = {}  # our metadata; all but the owner never changes

    @classmethod
    def connect(cls, url: str, api_key: str = "", *, home: str | None = None, folder: Path | None = None) -> Self:
        """Connected and answered once; StoreUnavailable if nobody does."""
        store = cls(_client(url, api_key), url, home, folder)
        store._names()
        return store

    # Names

    def _names(self) -> list[str]:
        return [one.name for one in self._ask(lambda: self._client.get_collections()).collections]

    def _aliases(self) -> dict[str, str]:
        """Collection → the server's name of the generation that its alias names; first generations have none."""
        found = self._ask(lambda: self._client.get_aliases()).aliases
        return {
            one.alias_name.removesuffix(SERVING): one.collection_name
            for one in found
            if one.alias_name.endswith(SERVING)
        }

    def _meant(self, name: str, *, fresh: bool = False) -> str:
        """The server's name of the collection or generation. Where the alias points is asked for every two seconds:
        until then the generation before, which is kept, answers. `fresh`: asked for now, as what is written must be in
        the one that answers from now on."""
        collection, generation = split_generation(name)
        if generation is not None:
            return collection_of(collection, generation)
        asked, aliases = self._served
        if fresh or time.monotonic() - asked > ALIAS_SECONDS:
            aliases = self._aliases()
            self._served = (time.monotonic(), aliases)
        return aliases.get(collection, collection)

    def _to_write(self, name: str) -> str:
        """As `_meant`, of what is about to be changed. CollectionForeign unless it is this home's."""
        collection = self._meant(name, fresh=True)
        self._check_owner(collection)
        return collection

    def _spec(self, collection: str) -> CollectionSpec:
        record = self._record(collection)
        model = record["model"] if self._folder is None else at_home(self._folder, record["model"])
        return CollectionSpec(record["dimension"], record["fingerprint"], model)

    def _record(self, collection: str) -> dict[str, Any]:
        return self._records.get(collection) or self._fresh_record(collection)

    def _fresh_record(self, collection: str) -> dict[str, Any]:
        self._records.pop(collection, None)
        found = self._in(collection, lambda: self._client.get_collection(collection))
        record: dict[str, Any] | None = (found.config.metadata or {}).get(SPEC_KEY)
        if record is None:
            raise CollectionForeign(
                f'The collection "{collection}" at {self.location} was not made by this program. Choose another '
                "name (LABSE_COLLECTION)."
            )
        self._records[collection] = record
        return record

    # Owners

    def _signature(self) -> dict[str, str]:
        return {} if self._home is None else {"owner": self._home, "computer": platform.node()}

    def _sign(self, collection: str) -> None:
        if self._home is not None:
            record = {**self._fresh_record(collection), **self._signature()}
            self._in(collection, lambda: self._client.update_collection(collection, metadata={SPEC_KEY: record}))
            self._records.pop(collection, None)

    def _check_owner(self, collection: str) -> None:
        """CollectionForeign unless the collection is this home's. Asked of the server, since another home may have
        taken it over."""
        record = self._fresh_record(collection)
        if self._home is None or record.get("owner") == self._home:
            return
        of = f"another home, on the computer {record['computer']!r}" if record.get("owner") else "no home yet"
        raise CollectionForeign(
            f'The collection "{collection}" at {self.location} belongs to {of}. This home may search it and changes '
            "nothing in it. To take it over: python -m labse_search.library take-over --collection NAME"
        )

    def _plain(self, value: str) -> str:
        """The in-memory client takes 32 hex digits for a UUID, and writes it with hyphens."""
        return value.replace("-", "") if self._local and _UUID.fullmatch(value) else value

    # Calls

    def _in(self, collection: str, call: Callable[[], T]) -> T:
        """The call's answer, or CollectionMissing if that is why it failed."""
        try:
            return self._ask(call)
        except (StoreUnavailable, ValueError) as error:
            cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
            gone = isinstance(cause, ValueError) or getattr(cause, "status_code", None) == 404
            if gone and not self._ask(lambda: self._client.collection_exists(collection)):
                self._records.pop(collection, None)
                raise missing(
                    collection, self.location, sorted({split_generation(name)[0] for name in self._names()})
                ) from None
            raise

    def _ask(self, call: Callable[[], T]) -> T:
        """The call's answer, or StoreUnavailable with the URL, never the key, and what to do."""
        try:
            return call()
        except UnexpectedResponse as error:
            if error.status_code in (401, 403):
                raise StoreUnavailable(
                    f"The Qdrant server at {self.location} refused the key. Set LABSE_API_KEY to one that it accepts."
                ) from error
            raise StoreUnavailable(
                f"The Qdrant server at {self.location} answered {error.status_code} {error.reason_phrase}."
            ) from error
        except (ResponseHandlingException, ApiException, QdrantException, httpx.HTTPError, OSError) as error:
            why = "did not answer in time" if "timed out" in str(error).lower() else "does not answer"
            raise StoreUnavailable(
                f"The Qdrant server at {self.location} {why}. Is it running, and is LABSE_STORE right? "
                "Without LABSE_STORE the documents are kept on this computer."
            ) from error
        except (JSONDecodeError, AssertionError) as error:
            # A page for signing in to a network, or a proxy: it answers 200 all the same.
            raise StoreUnavailable(
                f"What answers at {self.location} is no Qdrant server. Is this computer signed in to its network, and "
                "is LABSE_STORE right?"
            ) from error


def collection_of(collection: str, generation: int) -> str:
    """The server's name of a generation: the first one's is the collection's own, as before there were others."""
    return collection if generation == 1 else generation_name(collection, generation)


def _client(url: str, api_key: str) -> QdrantClient:
    with contextlib.ExitStack() as stack:
        import warnings

        stack.enter_context(warnings.catch_warnings())
        # A key over plain http is the operator's choice on their own network; the version check would be a second
        # request that prints.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return QdrantClient(url=url, api_key=api_key or None, timeout=TIMEOUT_SECONDS, check_compatibility=False)
