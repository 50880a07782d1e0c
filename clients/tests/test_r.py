"""What R's libraries get by their natural calls."""

import csv
import io

import pytest
import truth
from programs import program, run


def r(code: str, server: str) -> str:
    head = f'RECORDS <- "{server}/v1/datasets/exports/records"; BASE <- "{server}/v1/datasets"\n'
    return run(program("Rscript"), "--no-init-file", "-", text=head + code)


def table(printed: str) -> list[truth.Figure]:
    return truth.figures(csv.DictReader(io.StringIO(printed)))


def test_readr_reads_csv(server: str) -> None:
    code = f"""
        rows <- readr::read_csv(paste0(RECORDS, ".csv?{truth.QUERY}"), show_col_types = FALSE)
        stopifnot(is.numeric(rows$value), inherits(rows$period_start, "Date"))
        cat(readr::format_csv(rows, na = ""))
    """
    assert table(r(code, server)) == truth.of_the_list()


@pytest.mark.parametrize("lists", ["commas", "repeated"])
def test_httr2_takes_a_list(lists: str, server: str) -> None:
    words = {"commas": [",".join(truth.LISTED)], "repeated": truth.LISTED}[lists]
    pairs = ", ".join(f'indicator__in = "{word}"' for word in words)
    code = f"""
        library(httr2)
        answer <- request(RECORDS) |>
            req_url_query({pairs}, sort = "{",".join(truth.SORT)}") |>
            req_perform() |> resp_body_json(simplifyVector = TRUE)
        cat(readr::format_csv(answer$data, na = ""))
    """
    assert table(r(code, server)) == truth.of_the_list()


def test_httr2_follows_links_next_to_the_last_page(server: str) -> None:
    code = """
        library(httr2)
        found <- list(); address <- RECORDS
        repeat {
            answer <- request(address) |> req_perform() |> resp_body_json(simplifyVector = TRUE)
            found <- c(found, list(answer$data[c("id", "year", "value")]))
            if (is.null(answer$links$`next`)) break
            address <- paste0(sub("/v1/.*", "", RECORDS), answer$links$`next`)
        }
        cat(readr::format_csv(do.call(rbind, found), na = ""))
    """
    assert table(r(code, server)) == truth.all_exports()


def test_httr2_may_ask_for_true(server: str) -> None:
    code = """
        library(httr2)
        answer <- request(RECORDS) |> req_url_query(year__isnull = TRUE, limit = 1000) |>
            req_perform() |> resp_body_json(simplifyVector = TRUE)
        cat(readr::format_csv(answer$data, na = ""))
    """
    expected = [figure for figure in truth.all_exports() if figure[1] is None]
    assert table(r(code, server)) == expected != []


def test_httr2_finds_a_row_by_its_escaped_compound_key(server: str) -> None:
    code = f"""
        library(httr2)
        key <- URLencode("{",".join(truth.POSITION)}", reserved = TRUE)
        answer <- request(paste0(BASE, "/conflict_positions/records/", key)) |> req_perform() |> resp_body_json()
        cat(answer$data$says)
    """
    assert r(code, server) == truth.position()["says"]


def test_httr2_meets_an_error_as_a_problem(server: str) -> None:
    code = """
        library(httr2)
        answer <- request(RECORDS) |> req_url_query(yaer = 2007) |>
            req_error(is_error = function(answer) FALSE) |> req_perform()
        cat(resp_status(answer), resp_body_json(answer, check_type = FALSE)$errors[[1]]$did_you_mean)
    """
    assert r(code, server) == "400 year"
