"""One setting shifts all ports, and an address never points to another stack's service."""

import pytest
from pydantic import ValidationError

from infra import doctor
from infra.services import PROFILES, kafka, kafka_connect, spark
from millrace.settings import ROOT, STANDARD_PORTS, Settings


def settings(offset: int) -> Settings:
    return Settings(_env_file=None, port_offset=offset)


def test_no_two_services_share_a_port() -> None:
    assert len(set(STANDARD_PORTS.values())) == len(STANDARD_PORTS)


def test_the_largest_offset_still_gives_valid_ports() -> None:
    shifted = settings(45_000)
    assert max(shifted.port(name) for name in STANDARD_PORTS) < 65_536
    with pytest.raises(ValidationError):
        settings(60_000)


def test_every_argument_and_address_of_every_service_is_shifted() -> None:
    plain, shifted = settings(0), settings(700)
    for service in [service for services in PROFILES.values() for service in services]:
        if service.port:
            port = str(shifted.port(service.port))
            launch = service.launch(shifted)
            files = (
                spark.configuration(shifted),
                kafka.configuration(shifted, ROOT),
                kafka_connect.configuration(shifted),
            )
            told = [value for file in files for value in file.values()]
            words = " ".join([*launch.argv, *launch.environment.values(), *told])
            assert port in words, f"{service.name} does not hear of its port"
        shown = " ".join([*service.launch(shifted).argv, *service.launch(shifted).environment.values()])
        for name in STANDARD_PORTS:
            assert f":{plain.port(name)}/" not in shown, f"{service.name} still points to the unshifted {name}"


def test_the_doctor_looks_at_the_same_ports() -> None:
    assert sorted(doctor.PORTS) == sorted(STANDARD_PORTS.values())


def test_a_relative_state_folder_means_the_project_root() -> None:
    assert Settings(_env_file=None, home="somewhere/else").home == ROOT / "somewhere" / "else"
