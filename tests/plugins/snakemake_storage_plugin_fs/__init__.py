"""As much of the storage plugin of this name as a dry run needs, where it is not installed."""

from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_storage_plugins.io import Mtime
from snakemake_interface_storage_plugins.settings import StorageProviderSettingsBase
from snakemake_interface_storage_plugins.storage_object import (
    StorageObjectRead,
    StorageObjectWrite,
)
from snakemake_interface_storage_plugins.storage_provider import (
    ExampleQuery,
    QueryType,
    StorageProviderBase,
    StorageQueryValidationResult,
)


@dataclass
class StorageProviderSettings(StorageProviderSettingsBase):
    latency_wait: int = field(default=1, metadata={"help": "seconds"})


class StorageProvider(StorageProviderBase):
    @classmethod
    def example_queries(cls):
        return [ExampleQuery(query="a", type=QueryType.ANY, description="a path")]

    @classmethod
    def is_valid_query(cls, query):
        return StorageQueryValidationResult(query=query, valid=True)

    def use_rate_limiter(self):
        return False

    def refuse(self, *_):
        raise NotImplementedError("this stand-in plugin makes dry runs only")

    rate_limiter_key = default_max_requests_per_second = list_objects = refuse


class StorageObject(StorageObjectRead, StorageObjectWrite):
    async def inventory(self, cache):
        path, key = Path(self.query), self.cache_key()
        cache.exists_in_storage[key] = path.exists()
        if path.exists():
            cache.mtime[key] = Mtime(storage=path.stat().st_mtime)
            cache.size[key] = path.stat().st_size

    def get_inventory_parent(self):
        return str(Path(self.query).parent)

    def local_suffix(self):
        return self.query.removeprefix("/")

    def exists(self):
        return Path(self.query).exists()

    def mtime(self):
        return Path(self.query).stat().st_mtime

    def size(self):
        return Path(self.query).stat().st_size

    def cleanup(self):
        pass

    def refuse(self, *_):
        raise NotImplementedError("this stand-in plugin makes dry runs only")

    retrieve_object = store_object = remove = refuse
