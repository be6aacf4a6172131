"""An agent's day in a real browser, against the real server."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ACCOUNTS, PASSWORD
from tests.server import manage, running

LIST = "/admin/tasks/task/"


def press(page, name):
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def search(page, text):
    page.goto(LIST)
    page.get_by_role("textbox", name="Search").fill(text)
    press(page, "Search")


def expect_titles(page, *titles):
    expect(page.locator("#result_list .field-__str__")).to_have_text(list(titles))


def test_an_agents_day(server, make_task, open_page):
    """Somebody complains: the task says the wrong thing, and another can't be ticked off."""
    task = make_task("mallory", "Transfer mony", "To the landlord,\nby Friday")
    other = make_task("mallory", "Renew the passport")
    make_task("oscar", "Renew the insurance")
    page = open_page()

    page.get_by_role("link", name="Tasks").first.click()
    search(page, "mallory")
    expect_titles(page, "Renew the passport", "Transfer mony")
    search(page, "renew pass")
    expect_titles(page, "Renew the passport")
    page.get_by_role("link", name="mallory").first.click()
    expect_titles(page, "Renew the passport", "Transfer mony")
    page.get_by_role("link", name="Transfer mony").click()

    page.get_by_label("Title").fill("   ")
    press(page, "Save")
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.get_by_label("Title").fill("Transfer money")
    page.get_by_label("Completed").check()
    press(page, "Save and continue editing")
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    answer = server.request("GET", f"/api/mallory/tasks/{task}", user="mallory").json()
    assert (answer["title"], answer["description"]) == ("Transfer money", "To the landlord,\nby Friday")
    assert answer["completed"] is True

    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("cell", name="agent")).to_be_visible()
    expect(
        page.get_by_text("Changed title from “Transfer mony” to “Transfer money” and completed from no to yes.")
    ).to_be_visible()

    page.goto(f"{LIST}{task}/change/")
    expect(page.get_by_role("link", name="Delete")).to_have_count(0)
    assert page.goto(f"{LIST}{task}/delete/").status == 403

    page.goto(f"{LIST}?user_id=mallory")
    page.get_by_role("row", name="Renew the passport").get_by_role("checkbox").check()
    expect(page.get_by_text("1 of 2 selected")).to_be_visible()
    page.get_by_role("combobox").select_option(label="Mark selected tasks completed")
    press(page, "Go")
    expect(page.get_by_text("1 task marked completed.")).to_be_visible()
    assert server.request("GET", f"/api/mallory/tasks/{other}", user="mallory").json()["completed"] is True

    press(page, "Log out")
    page.goto(LIST)
    expect(page.get_by_label("Password")).to_be_visible()


def test_two_at_once(server, make_task, open_page):
    """The user ticks the task off while an agent has its form open."""
    task = make_task("peggy", "Water the plants")
    page = open_page()
    page.goto(f"{LIST}{task}/change/")
    server.request("PATCH", f"/api/peggy/tasks/{task}", {"completed": True}, user="peggy")

    page.get_by_label("Title").fill("Water all plants")
    press(page, "Save")

    expect(page.get_by_text("Somebody has changed this task since you opened it.")).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value("Water all plants")
    assert server.request("GET", f"/api/peggy/tasks/{task}", user="peggy").json()["title"] == "Water the plants"
    with page.expect_popup() as opened:
        page.get_by_role("link", name="what it is now").click()
    expect(page.get_by_label("Title")).to_have_value("Water all plants")  # what was typed is still there
    page = opened.value
    expect(page.get_by_label("Title")).to_have_value("Water the plants")
    expect(page.get_by_label("Completed")).to_be_checked()
    page.get_by_label("Title").fill("Water all plants")
    press(page, "Save")
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_a_superuser_deletes_a_task(server, make_task, open_page):
    task = make_task("trent", "Delete me")
    page = open_page("root")

    page.goto(f"{LIST}{task}/change/")
    page.get_by_role("link", name="Delete").click()
    press(page, re.compile("^Yes"))

    expect(page.get_by_text("was deleted successfully")).to_be_visible()
    assert server.request("GET", f"/api/trent/tasks/{task}", user="trent").status == 404


def test_a_second_factor_without_scripts(browser, tmp_path):
    with running(tmp_path, ADMIN_OTP="true") as server:
        manage(server.environment, "shell", "--command", ACCOUNTS.format(password=PASSWORD))
        *_, first, second = manage(server.environment, "enroll_staff", "agent").stdout.split()
        for scheme, code in (("light", first), ("dark", second)):
            context = browser.new_context(
                base_url=f"http://127.0.0.1:{server.port}", color_scheme=scheme, java_script_enabled=False
            )
            page = context.new_page()
            page.goto("/admin/")
            page.get_by_label("Username").fill("agent")
            page.get_by_label("Password").fill("wrong")
            page.get_by_label("Code").fill(code)
            press(page, "Log in")
            page.screenshot(path=tmp_path / f"code-{scheme}.png")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_label("Code").fill(code)
            press(page, "Log in")

            expect(page.get_by_text("Welcome, agent")).to_be_visible()
            context.close()


def test_the_pages_of_the_api_show_its_operations(open_page, tmp_path):
    page = open_page()

    page.goto("/api/docs")
    page.get_by_text("/api/{user_id}/tasks/{id}").first.click()
    page.get_by_role("button", name="Try it out").first.click()
    page.screenshot(path=tmp_path / "docs.png", full_page=True)

    expect(page.get_by_role("button", name="Execute").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_its_window(make_task, open_page, tmp_path, width, scheme):
    """Look at the pictures, in pytest's --basetemp, after a change to how things look."""
    user = "a-user-id-as-long-as-they-come-" + "x" * 100
    task = make_task(user, "A title of many words, " * 8, "And a description. " * 50)
    wide = make_task(user, "W" * 200)
    page = open_page("root", width=width, scheme=scheme)
    pages = {
        "index": "/admin/",
        "list": LIST,
        "list-of-a-user": f"{LIST}?user_id={user}",
        "found": f"{LIST}?q=title",
        "nothing": f"{LIST}?q=nobody",
        "form": f"{LIST}{task}/change/",
        "form-of-one-word": f"{LIST}{wide}/change/",
        "deletion": f"{LIST}{wide}/delete/",
        "history": f"{LIST}{wide}/history/",
        "all-history": f"/admin/admin/logentry/?q={wide}",
        "forbidden": f"{LIST}add/",
    }
    page.goto(pages["form-of-one-word"])
    page.get_by_label("Title").fill("V" * 200)
    press(page, "Save")
    too_wide = []
    for name, path in pages.items():
        page.goto(path)
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(name)
    page.goto(pages["form"])
    page.get_by_label("Title").fill(" ")
    press(page, "Save")
    page.screenshot(path=tmp_path / "error.png", full_page=True)
    page.context.clear_cookies()
    for _ in range(6):
        page.goto("/admin/login/")
        page.screenshot(path=tmp_path / "login.png")
        page.get_by_label("Username").fill(f"nobody-{width}-{scheme}")
        page.get_by_label("Password").fill("guessed")
        press(page, "Log in")
    page.screenshot(path=tmp_path / "too-many-attempts.png")

    expect(page.get_by_text("Try again in 15 minutes")).to_be_visible()
    assert too_wide == []
