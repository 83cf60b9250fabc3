"""The studies by name, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from src.studies.cornet import CORNET
from src.studies.macaque_it import MACAQUE_IT
from src.studies.nsd_gnet import NSD_GNET
from src.studies.records import Study
from src.studies.sensorium2022 import SENSORIUM2022
from src.studies.sensorium2023 import SENSORIUM2023

STUDIES: Mapping[str, Study] = MappingProxyType(
    {study.name: study for study in (SENSORIUM2022, SENSORIUM2023, MACAQUE_IT, CORNET, NSD_GNET)}
)
