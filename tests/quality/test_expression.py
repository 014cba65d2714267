import pytest

from manara.errors import WrongDefinition
from manara.quality.expression import columns_of, has_query, read_expression, tables_of


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds nothing"),
        ("a +", "is not SQL"),
        ("a; drop table x", "holds 2 statements"),
        ("drop table x", "is a statement"),
        ("select 1", "is a statement"),
        ("insert into x values (1)", "is a statement"),
        ("copy x to 'f'", "is a statement"),
        ("attach 'a.db'", "is a statement"),
        ("install httpfs", "is a statement"),
        ("load httpfs", "is a statement"),
        ("pragma database_list", "is a statement"),
        ("from x", "is a statement"),
        ("(select * into y from x)", "changes something"),
        ("set memory_limit = '1GB'", "is a statement"),
        ("a as b", "does not give one value"),
        ("*", "does not give one value"),
        ("(a, b)", "does not give one value"),
        ("max(a)", "many rows at once"),
        ("row_number() over ()", "many rows at once"),
        ("(select * from read_text('/etc/passwd'))", "reads from the function read_text"),
        ("(select content from glob('/*'))", "reads from the function glob"),
        ("(select a from read_csv('x.csv'))", "reads from the function read_csv"),
        ("(select a from read_parquet('x'))", "reads from the function read_parquet"),
        ("(select a from read_blob('x'))", "reads from the function read_blob"),
        ("(select a from some_function('x'))", "from the function some_function"),
        ("(select a from 'x.csv')", "no plain table name"),
        ('(select a from facility, "x.csv")', "no plain table name"),
        ("(select a from facility join '/etc/passwd' on true)", "no plain table name"),
        ("read_text('/etc/passwd')", "read_text, which reads files or settings"),
        ("getenv('HOME')", "getenv, which reads files or settings"),
        ("current_setting('secret_directory')", "current_setting, which reads"),
        ("(select value from duckdb_settings() where name = a)", "from the function duckdb_settings"),
    ],
)
def test_what_is_more_than_a_value_is_refused(text: str, says: str) -> None:
    with pytest.raises(WrongDefinition) as raised:
        read_expression(text)
    assert says in raised.value.message
    assert raised.value.advice


@pytest.mark.parametrize(
    ("text", "columns", "tables"),
    [
        ("a + B + a", ["a", "B"], []),
        ("try_cast(replace(price, ',', '') as double)", ["price"], []),
        ("my_macro(a, 'x')", ["a"], []),
        ("list_sum(list_transform([a], lambda v: v + 1))", ["a"], []),
        ("(select max(f.x) from facility f where f.code = source.code)", [], ["facility"]),
        ("coalesce(a, (with w as (select 1 as x) select x from w))", ["a"], []),
        ("a::date", ["a"], []),
        ("a at time zone 'UTC'", ["a"], []),
        ("not a", ["a"], []),
        ("case when a then b else c end", ["a", "b", "c"], []),
        ("a between 1 and b", ["a", "b"], []),
        ("a[1]", ["a"], []),
        ("a is null or b like 'x%'", ["a", "b"], []),
        ("exists (select 1 from facility f where f.code = target.code)", [], ["facility"]),
        ("a in (select unnest([1, 2]))", ["a"], []),
        ("(select max(v) from unnest([1, 2]) as u(v))", [], []),
    ],
)
def test_an_expression_tells_what_it_reads(text: str, columns: list[str], tables: list[str]) -> None:
    tree = read_expression(text)
    assert columns_of(tree) == columns
    assert [table.name for table in tables_of(tree)] == tables
    assert has_query(tree) == ("select" in text)
