"""What the records of the demo's study must show, beyond the figures: the claims that the study file
makes about the requests, checked in the store."""
import sqlite3

DIGEST = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"


def answers_have_the_length_asked_for(rows_of):
    rows = rows_of("SELECT output_tokens, prompt_tokens, finish, error FROM request "
                    "WHERE phase = 'measure' AND task = 'energy'")
    assert len(rows) == 48, len(rows)
    for output, prompt, finish, error in rows:
        assert (output, finish, error) == (10, "length", ""), (output, finish, error)
        assert 5 <= prompt <= 20, prompt


def no_prompt_came_from_a_cache(rows_of):
    cached = {c for (c,) in rows_of("SELECT cached_tokens FROM request WHERE phase = 'measure'")}
    assert cached == {0}, cached


def the_accuracy_task_ends_by_itself(rows_of):
    rows = rows_of("SELECT finish, count(*) FROM request WHERE phase = 'measure' AND task = 'accuracy' "
                   "GROUP BY finish")
    assert rows == [("stop", 96)], rows
    for trial, right in rows_of("SELECT attempt, sum(correct) FROM answer GROUP BY attempt"):
        assert right >= 20, "trial %d: %d of 24 right" % (trial, right)


def loading_is_outside_of_the_window(rows_of):
    phases = rows_of("SELECT attempt, name, start_ns, end_ns FROM phase ORDER BY attempt, start_ns")
    assert phases
    for attempt in {p[0] for p in phases}:
        mine = [p for p in phases if p[0] == attempt]
        assert [p[1] for p in mine][:3] == ["load", "warmup", "idle"], mine
        load_end_ns = mine[0][3]
        for _, name, start_ns, end_ns in mine[1:]:
            assert start_ns >= load_end_ns, name
            assert end_ns > start_ns, name


def tokens_arrive_in_order_inside_the_window(rows_of):
    windows = {(a, t): (b, e) for a, t, b, e in rows_of(
        "SELECT attempt, task, start_ns, end_ns FROM phase WHERE name = 'measure'")}
    for attempt, task, sent_ns, first_ns, last_ns in rows_of(
            "SELECT attempt, task, sent_ns, first_token_ns, last_token_ns FROM request "
            "WHERE phase = 'measure'"):
        start_ns, end_ns = windows[(attempt, task)]
        assert start_ns <= sent_ns < first_ns <= last_ns <= end_ns


def the_manifest_names_model_and_server(rows_of):
    facts = rows_of("SELECT DISTINCT key, value FROM fact WHERE attempt IS NOT NULL")
    assert ("model.sha256", DIGEST) in facts, facts
    keys = [k for k, _ in facts]
    assert any(k.startswith("engine.library.xllamacpp") for k in keys), keys
    # one server configuration: nothing about the engine differs between the trials
    engine = [k for k in keys if k.startswith(("engine.", "model."))]
    assert len(engine) == len(set(engine)), sorted(engine)


CHECKS = [answers_have_the_length_asked_for, no_prompt_came_from_a_cache,
          the_accuracy_task_ends_by_itself, loading_is_outside_of_the_window,
          tokens_arrive_in_order_inside_the_window, the_manifest_names_model_and_server]


def check(store):
    """Every check on one study.sqlite; the first that fails raises, with its name in front."""
    db = sqlite3.connect(store)

    def rows_of(query):
        return db.execute(query).fetchall()

    for one in CHECKS:
        try:
            one(rows_of)
        except AssertionError as problem:
            raise AssertionError("%s: %s" % (one.__name__, problem)) from problem
    db.close()
