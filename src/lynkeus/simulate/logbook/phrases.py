"""What operators write: about faults of systems, how they were found, what followed, and what was done; en and de."""

from __future__ import annotations

from typing import NamedTuple

LANGUAGES = ("en", "de")
Both = tuple[str, str]


class Fault(NamedTuple):
    """A `topic` with what the first entry says of it in both languages, and how often it is severe."""

    topic: str
    says: tuple[Both, ...]
    major: float


class System(NamedTuple):
    """A part of the machine: `name`, pattern of its `devices` with how many there are, and its faults."""

    name: str
    device: str
    many: int
    faults: tuple[Fault, ...]


SYSTEMS = (
    System("rf", "KLY.{:02d}", 26, (
        Fault("trip", (("{d} tripped, reverse power too high", "{d} ausgefallen, Rücklaufleistung zu hoch"),
                       ("RF station {d}: modulator interlock", "HF-Station {d}: Interlock am Modulator")), 0.3),
        Fault("drift", (("phase of {d} drifts by 2 degrees an hour", "Phase von {d} läuft um 2 Grad pro Stunde weg"),
                        ("gradient of {d} sags since midnight", "Gradient von {d} fällt seit Mitternacht ab")), 0.1),
    )),
    System("vacuum", "VIP.{:03d}", 140, (
        Fault("leak", (("pressure at {d} rises to 1e-7 mbar, probably a leak",
                        "Druck an {d} steigt auf 1e-7 mbar, wohl ein Leck"),), 0.6),
        Fault("pump", (("ion pump {d} off, controller does not answer",
                        "Ionenpumpe {d} aus, Controller antwortet nicht"),
                       ("high current of pump {d}", "hoher Strom der Pumpe {d}")), 0.15),
    )),
    System("cryo", "CM{:d}", 25, (
        Fault("level", (("helium level in {d} low", "Heliumstand in {d} niedrig"),
                        ("temperature of {d} above 2.1 K", "Temperatur von {d} über 2,1 K")), 0.2),
        Fault("quench", (("quench in {d}, cryogenics recovers", "Quench in {d}, Kryo erholt sich"),), 0.7),
    )),
    System("magnets", "QF.{:d}", 60, (
        Fault("power supply", (("power supply of {d} off with ground fault", "Netzgerät von {d} aus, Erdschluss"),
                               ("current of {d} off its set value", "Strom von {d} weicht vom Sollwert ab")), 0.4),
        Fault("water", (("flow of cooling water at {d} too low", "Kühlwasserdurchfluss an {d} zu klein"),), 0.3),
    )),
    System("diagnostics", "BPM.{:03d}", 103, (
        Fault("reading", (("{d} reads nonsense, taken out of the orbit feedback",
                           "{d} zeigt Unsinn, aus dem Orbitfeedback genommen"),
                          ("{d} has an offset of half a millimetre",
                           "{d} hat einen Versatz von einem halben Millimeter")), 0.05),
    )),
    System("controls", "SRV{:02d}", 12, (
        Fault("server", (("server {d} does not answer, panels are white",
                          "Server {d} antwortet nicht, Anzeigen sind weiß"),
                         ("archive of {d} stopped", "Archiv von {d} steht")), 0.2),
    )),
)  # fmt: skip
FOLLOWS: tuple[Both, ...] = (
    ("beam lost because of {d}", "Strahl weg wegen {d}"),
    ("{d} again, reset did not help", "schon wieder {d}, Reset half nicht"),
    ("still waiting for the expert of {d}", "warten noch auf den Experten für {d}"),
    ("same as an hour ago at {d}", "wie vor einer Stunde an {d}"),
)
ENDS: tuple[Both, ...] = (
    ("{d} reset, beam back after {m} min", "{d} zurückgesetzt, Strahl nach {m} min wieder da"),
    ("{d} repaired by the expert, all fine now", "{d} vom Experten repariert, alles wieder gut"),
    ("cable of {d} was loose, fixed", "Kabel an {d} war lose, behoben"),
)
MAJOR: tuple[Both, ...] = (
    ("expert called, no beam", "Experte gerufen, kein Strahl"),
    ("users informed, access needed", "Nutzer informiert, Zugang nötig"),
)
MINOR: tuple[Both, ...] = (
    ("no effect on the beam", "ohne Einfluss auf den Strahl"),
    ("beam back after {m} min", "Strahl nach {m} min wieder da"),
)
ROUTINE: tuple[Both, ...] = (
    ("shift handover, machine runs at {m} bunches", "Schichtübergabe, Maschine läuft mit {m} Bunchen"),
    ("photon energy changed for the users", "Photonenenergie für Nutzer geändert"),
    ("SASE tuned, {m} percent more", "SASE optimiert, {m} Prozent mehr"),
    ("orbit reference saved", "Orbitreferenz gespeichert"),
)
SHORT = {
    "pressure": "press.", "temperature": "temp.", "Temperatur": "Temp.", "power supply": "PS", "Netzgerät": "NG",
    "Experte": "Exp.", "expert": "exp.", "because of": "b/c", "cryogenics": "cryo", "Druck": "p", "minutes": "min",
    "wieder da": "wd.", "does not answer": "n/a", "antwortet nicht": "antw. nicht",
}  # fmt: skip
AUTHORS = ("N. Shifter", "A. Bauer", "K. Nowak", "O. Operator", "M. Lang")
