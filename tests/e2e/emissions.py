#!/usr/bin/python3
"""measure --emissions and import emissions: CodeCarbon's emissions.csv, written and read."""
import csv
import json
import os
import subprocess
import uuid

import lean
from lean import PERJOULE, SPENDER

FIRST = ("timestamp project_name run_id experiment_id duration emissions emissions_rate cpu_power "
         "gpu_power ram_power cpu_energy gpu_energy ram_energy energy_consumed").split()
MIDDLE = ("country_name country_iso_code region cloud_provider cloud_region os python_version "
          "codecarbon_version cpu_count cpu_model gpu_count gpu_model longitude latitude "
          "ram_total_size tracking_mode").split()
USE = "cpu_utilization_percent gpu_utilization_percent ram_utilization_percent ram_used_gb".split()
SCHEMAS = {
    32: FIRST + MIDDLE + ["on_cloud", "pue"],
    34: FIRST + ["water_consumed"] + MIDDLE + ["on_cloud", "pue", "wue"],
    38: FIRST + ["water_consumed"] + MIDDLE + USE + ["on_cloud", "pue", "wue"],
}
# What CodeCarbon writes for a machine without a GPU, offline: some columns have no value.
VALUES = {
    "timestamp": "2026-01-31T12:00:00", "project_name": "codecarbon", "run_id": str(uuid.uuid4()),
    "experiment_id": "5b0fa12a", "duration": "12.5", "emissions": "0.001",
    "emissions_rate": "0.00008", "cpu_power": "42.5", "gpu_power": "0", "ram_power": "20",
    "cpu_energy": "0.01", "gpu_energy": "0", "ram_energy": "0.002", "energy_consumed": "0.012",
    "water_consumed": "0", "country_name": "Germany", "country_iso_code": "DEU", "region": "",
    "cloud_provider": "", "cloud_region": "", "os": "Linux-6.1", "python_version": "3.11.2",
    "codecarbon_version": "3.2.9", "cpu_count": "8", "cpu_model": "Some CPU, 8 cores",
    "gpu_count": "", "gpu_model": "", "longitude": "", "latitude": "", "ram_total_size": "31.2",
    "tracking_mode": "machine", "cpu_utilization_percent": "50.5", "gpu_utilization_percent": "0",
    "ram_utilization_percent": "40", "ram_used_gb": "12", "on_cloud": "N", "pue": "1.0",
    "wue": "0.0",
}


class Emissions(lean.Case):
    def setUp(self):
        super().setUp()
        self.out = self.path("emissions.csv")
        self.package = self.zone("intel-rapl:0", "package-0", 1)
        self.dram = self.zone("intel-rapl:0:0", "dram", 1)
        self.put("/proc/meminfo", "MemTotal: 33554432 kB\n")
        self.put("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
                 "model\t\t: 85\nmodel name\t: Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz\n"
                 "physical id\t: 0\nsiblings\t: 1\ncpu cores\t: 1\n")

    def emit(self, *options, code=0, spend=True):
        command = [SPENDER, "20", "2", self.package + "=3600000", self.dram + "=1800000"]
        done = self.run_perjoule("measure", "--root", self.root, "--emissions", self.out, *options,
                                 "--", *(command if spend else ["true"]))
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stderr.decode()

    def rows(self, path=None):
        with open(path or self.out, encoding="utf-8", newline="") as file:
            table = list(csv.reader(file))
        return table[0], [dict(zip(table[0], row)) for row in table[1:]], table

    def sidecar(self):
        with open(self.out + ".perjoule.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def write(self, columns, *rows):
        with open(self.out, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)


class Written(Emissions):
    def test_each_schema(self):
        for schema, columns in SCHEMAS.items():
            self.out = self.path("emissions-%d.csv" % schema)
            self.emit("--emissions-schema", str(schema), "--country", "DEU")
            header, _, table = self.rows()
            self.assertEqual(header, columns)
            self.assertEqual([len(row) for row in table], [schema] * 2)

    def test_values(self):
        self.emit("--country", "deu", "--pue", "1.5", "--wue", "2")
        row = self.rows()[1][0]
        self.assertAlmostEqual(float(row["cpu_energy"]), 1.5e-6, places=11)
        self.assertAlmostEqual(float(row["ram_energy"]), 0.75e-6, places=11)
        self.assertAlmostEqual(float(row["energy_consumed"]), 2.25e-6, places=11)
        self.assertAlmostEqual(float(row["emissions"]), 2.25e-6 * 0.38095, places=11)
        duration = float(row["duration"])
        self.assertAlmostEqual(float(row["cpu_power"]), 3.6 / duration, places=3)
        self.assertAlmostEqual(float(row["emissions_rate"]) * duration, float(row["emissions"]))
        self.assertAlmostEqual(float(row["water_consumed"]), 3e-6, places=11)
        self.assertEqual((row["gpu_energy"], row["gpu_power"], row["longitude"]), ("", "", ""))
        self.assertEqual((row["country_iso_code"], row["country_name"]), ("DEU", "Germany"))
        self.assertEqual((row["on_cloud"], row["pue"], row["wue"]), ("N", "1.5", "2"))
        self.assertEqual(row["ram_total_size"], "32")
        self.assertEqual(uuid.UUID(row["run_id"]).version, 4)
        self.assertRegex(row["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
        side = self.sidecar()[0]
        self.assertEqual(side["run_id"], row["run_id"])
        self.assertEqual(side["energy_j"]["origin"], "counter")
        self.assertGreater(side["energy_j"]["u"], 0)
        self.assertEqual(side["gpu_j"]["value"], None)
        self.assertAlmostEqual(side["emission"]["emissions_g"], float(row["emissions"]) * 1e3)
        self.assertGreater(side["emission"]["u_grid_part_g"], side["emission"]["u_energy_part_g"])
        self.assertEqual(side["grid"]["basis"], "country")

    def test_cloud_and_given(self):
        self.emit("--cloud", "gcp:europe-west9")
        self.emit("--carbon-intensity", "100:7")
        rows = self.rows()[1]
        self.assertEqual((rows[0]["on_cloud"], rows[0]["cloud_provider"], rows[0]["cloud_region"],
                          rows[0]["country_name"]), ("Y", "gcp", "europe-west9", "France"))
        self.assertAlmostEqual(float(rows[1]["emissions"]), 1.5e-6 * 0.1, places=11)
        self.assertEqual(self.sidecar()[1]["grid"]["u_g_per_kwh"], 7)

    def test_without_a_region_the_emission_is_missing(self):
        self.assertIn("missing", self.emit())
        row = self.rows()[1][0]
        self.assertEqual((row["emissions"], row["emissions_rate"], row["country_iso_code"]),
                         ("", "", ""))
        self.assertGreater(float(row["energy_consumed"]), 0)
        self.assertEqual(self.sidecar()[0]["emission"]["reason"], "no region was given")

    def test_wrong_options_cost_no_run(self):
        for options in (["--country", "XXX"], ["--country", "D"], ["--cloud", "gcp:nowhere"],
                        ["--country", "DEU", "--carbon-intensity", "1"], ["--pue", "0.5"],
                        ["--emissions-schema", "33"], ["--wue", "-1"]):
            done = self.run_perjoule("measure", "--root", self.root, "--emissions", self.out,
                                     *options, "--", "touch", self.path("ran"))
            self.assertIn(done.returncode, (2, 125), options)
        done = self.run_perjoule("measure", "--root", self.root, "--country", "DEU", "true")
        self.assertEqual(done.returncode, 2)
        done = self.run_perjoule("measure", "--root", self.root, "--emissions",
                                 self.path("no/where.csv"), "touch", self.path("ran"))
        self.assertEqual(done.returncode, 125)
        self.assertEqual([name for name in os.listdir(self.dir) if name != "root"], [])


class Files(Emissions):
    def test_appends_in_the_order_of_the_file(self):
        columns = list(reversed(SCHEMAS[38]))
        self.write(columns, [VALUES[name] for name in columns])
        self.emit("--country", "FRA")
        header, rows, _ = self.rows()
        self.assertEqual(header, columns)
        self.assertEqual(rows[0], VALUES)
        self.assertEqual(rows[1]["country_name"], "France")
        self.assertEqual(os.listdir(self.dir).count("emissions.csv.bak"), 0)

    def test_short_rows_of_others_stay(self):
        short = [VALUES[name] for name in SCHEMAS[38] if VALUES[name]]
        self.write(SCHEMAS[38], short)
        self.emit("--country", "FRA")
        table = self.rows()[2]
        self.assertEqual(table[1], short)
        self.assertEqual(len(table[2]), 38)

    def test_another_header_is_set_aside(self):
        for number, name in enumerate(["emissions.csv.bak", "emissions.csv_0.bak",
                                       "emissions.csv_1.bak"]):
            self.write(["a", "b"], [number, 0])
            self.emit("--country", "FRA")
            self.assertEqual(self.rows()[0], SCHEMAS[38])
            with open(self.path(name), encoding="utf-8") as file:
                self.assertEqual(file.read().split(), ["a,b", "%d,0" % number])
        self.emit("--country", "FRA", "--emissions-schema", "32")
        self.assertEqual(self.rows()[0], SCHEMAS[32])
        self.assertEqual(self.rows(self.path("emissions.csv_2.bak"))[0], SCHEMAS[38])

    def test_a_torn_last_line_does_not_swallow_ours(self):
        self.write(SCHEMAS[38])
        with open(self.out, "a", encoding="utf-8") as file:
            file.write("2026-01-31T12:00")
        self.emit("--country", "FRA")
        table = self.rows()[2]
        self.assertEqual([len(row) for row in table], [38, 1, 38])

    def test_many_at_once(self):
        runs = [subprocess.Popen([PERJOULE, "measure", "--root", self.root, "--emissions", self.out,
                                  "--", "true"], stderr=subprocess.DEVNULL,
                                 env=self.environment()) for _ in range(8)]
        self.assertEqual({run.wait(60) for run in runs}, {0})
        _, rows, table = self.rows()
        self.assertEqual([len(row) for row in table], [38] * 9)
        self.assertEqual({row["run_id"] for row in rows}, {s["run_id"] for s in self.sidecar()})


class Imported(Emissions):
    def read(self, *options, code=0):
        done = self.run_perjoule("import", "emissions", self.out, *options)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done

    def test_each_schema(self):
        for schema, columns in SCHEMAS.items():
            self.write(columns, [VALUES[name] for name in columns])
            (row,) = json.loads(self.read("--json").stdout)
            self.assertEqual(row["energy_consumed"], 0.012)
            self.assertEqual(row["cpu_model"], "Some CPU, 8 cores")
            self.assertIsNone(row["longitude"])
            self.assertEqual(row["ram_used_gb"], 12 if schema == 38 else None)
            self.assertEqual(row["pue"], 1)
            table = list(csv.reader(self.read().stdout.decode().splitlines()))
            self.assertEqual(table[0], SCHEMAS[38])
            self.assertEqual([len(line) for line in table], [38, 38])

    def test_own_rows(self):
        self.emit("--country", "DEU")
        (row,) = json.loads(self.read("--json").stdout)
        self.assertEqual(row["country_iso_code"], "DEU")
        self.assertIsNone(row["gpu_energy"])

    def test_short_rows_are_laid_on_their_columns(self):
        short = [VALUES[name] for name in SCHEMAS[38] if VALUES[name]]
        self.write(SCHEMAS[38], [VALUES[name] for name in SCHEMAS[38]], short)
        done = self.read("--json")
        whole, row = json.loads(done.stdout)
        self.assertIn(b"1 rows lack fields", done.stderr)
        self.assertEqual(row["lacking_fields"], 38 - len(short))
        for name in FIRST + ["water_consumed", "country_name", "country_iso_code", "ram_total_size",
                             "tracking_mode", "on_cloud", "pue", "wue"] + USE:
            self.assertEqual(row[name], whole[name], name)
        # nothing is guessed: whatever is there is right
        for name, value in row.items():
            if value is not None and name not in ("line", "lacking_fields"):
                self.assertEqual(value, whole[name], name)

    def test_what_is_none_is_refused(self):
        self.write(["a", "b"], [1, 2])
        self.assertIn(b"'a'", self.read(code=2).stderr)
        self.write(SCHEMAS[38][:-1])
        self.read(code=2)
        self.write(SCHEMAS[32], ["x"] * 33, [VALUES[name] for name in SCHEMAS[32]], ["x"] * 20)
        done = self.read("--json", code=3)
        self.assertIn(b":2:", done.stderr)
        self.assertIn(b":4:", done.stderr)
        self.assertEqual(len(json.loads(done.stdout)), 1)
        self.write([])
        self.read(code=2)
        os.remove(self.out)
        self.read(code=1)
        self.assertEqual(self.run_perjoule("import", "other", self.out).returncode, 2)
        self.assertEqual(self.run_perjoule("import").returncode, 2)


if __name__ == "__main__":
    lean.main()
