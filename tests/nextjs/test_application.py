"""The Next.js example in a real browser, with a real Better Auth, before the API as it is deployed."""

import time

import pytest
from playwright.sync_api import Response, expect

from tests.nextjs.conftest import PASSWORD, no_api


def add(page, title, description=""):
    page.get_by_role("textbox", name="New task").fill(title)
    page.get_by_role("textbox", name="Description (may be empty)").fill(description)
    page.get_by_role("button", name="Add").click()


def said(page, words):
    expect(page.get_by_role("status")).to_have_text(words)


def expect_titles(page, *titles):
    expect(page.locator(".tasks .title")).to_have_text(list(titles))


def sign_out(page):
    page.get_by_role("link", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_first_day(signed_up):
    ann = signed_up("Ann")
    page = ann.page
    expect(page.get_by_text("Nothing here. Enjoy the quiet.")).to_be_visible()

    add(page, "Buy milk", "Two litres")
    said(page, "Added: Buy milk")
    add(page, "Call the bank")
    said(page, "Added: Call the bank")
    expect_titles(page, "Call the bank", "Buy milk")
    add(page, "   ")
    expect(page.get_by_role("textbox", name="New task")).to_have_accessible_description("This field may not be blank.")

    page.get_by_role("checkbox", name="Buy milk").check()
    said(page, "Done: Buy milk")
    page.get_by_role("radio", name="Open").check()
    expect_titles(page, "Call the bank")
    page.get_by_role("radio", name="Done").check()
    expect_titles(page, "Buy milk")

    page.get_by_role("button", name="Edit Buy milk").click()
    expect(page.get_by_role("textbox", name="Title")).to_be_focused()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("Buy oat milk")
    page.keyboard.press("Enter")
    said(page, "Saved: Buy oat milk")
    expect(page.get_by_role("button", name="Edit Buy oat milk")).to_be_focused()
    page.get_by_role("radio", name="All").check()
    expect_titles(page, "Call the bank", "Buy oat milk")
    milk = ann.tasks()[0]
    assert (milk["title"], milk["description"], milk["completed"]) == ("Buy oat milk", "Two litres", True)

    page.get_by_role("button", name="Delete Call the bank").click()
    page.get_by_role("button", name="Really delete Call the bank").click()
    said(page, "Deleted: Call the bank")
    assert ann.titles() == ["Buy oat milk"]

    sign_out(page)
    page.goto("/tasks")
    page.get_by_label("E-mail").fill(ann.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect_titles(page, "Buy oat milk")


def test_an_endless_list(signed_up):
    ann = signed_up("Ann")
    ann.ask_api(*(("POST", "/tasks", {"title": f"Task {number}"}) for number in range(100)))
    page = ann.page

    page.reload()
    expect(page.locator(".tasks li")).not_to_have_count(0)
    assert page.locator(".tasks li").count() < 100
    ann.ask_api(("POST", "/tasks", {"title": "Made meanwhile"}))
    while not page.get_by_text("That is all.").is_visible():
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(50)

    expect_titles(page, *(f"Task {number}" for number in reversed(range(100))))


def test_two_tabs_edit_the_same_task(signed_up):
    ann = signed_up("Ann")
    one = ann.page
    add(one, "Buy milk")
    two = ann.another_tab()
    one.get_by_role("button", name="Edit Buy milk").click()
    one.get_by_label("Title").fill("Buy soy milk")
    two.get_by_role("button", name="Edit Buy milk").click()
    two.get_by_label("Title").fill("Buy oat milk")
    two.get_by_label("Description", exact=True).fill("Two litres")
    two.get_by_role("button", name="Save").click()
    said(two, "Saved: Buy oat milk")

    one.get_by_role("button", name="Save").click()
    conflict = one.get_by_role("alert").filter(has_text="has changed while you were editing")
    expect(conflict).to_be_focused()
    expect(conflict).to_contain_text("Buy oat milk")
    expect(one.get_by_label("Title")).to_have_value("Buy soy milk")
    assert ann.titles() == ["Buy oat milk"]
    one.get_by_role("button", name="Save mine instead").click()
    said(one, "Saved: Buy soy milk")
    assert ann.titles() == ["Buy soy milk"]

    two.get_by_role("button", name="Edit").click()
    two.get_by_label("Title").fill("Buy rice milk")
    two.get_by_role("button", name="Save").click()
    two.get_by_role("button", name="Keep theirs").click()
    expect_titles(two, "Buy soy milk")
    two.get_by_role("button", name="Edit").click()
    two.get_by_label("Title").fill("Buy rice milk")
    one.get_by_role("checkbox").check()
    said(one, "Done: Buy soy milk")
    two.get_by_role("button", name="Save").click()  # nobody has touched the text: nothing to decide
    said(two, "Saved: Buy rice milk")
    expect(two.get_by_role("checkbox")).to_be_checked()

    two.get_by_role("button", name="Edit").click()
    one.get_by_role("button", name="Delete").click()
    one.get_by_role("button", name="Really delete").click()
    said(one, "Deleted: Buy soy milk")
    two.get_by_role("button", name="Save").click()
    said(two, "Deleted elsewhere: Buy rice milk")


def test_two_users(signed_up):
    ann, ben = signed_up("Ann"), signed_up("Ben")
    add(ann.page, "Ann's secret")
    said(ann.page, "Added: Ann's secret")
    ben.page.reload()
    expect(ben.page.get_by_text("Nothing here. Enjoy the quiet.")).to_be_visible()

    # Ben's browser becomes Ann's, and his other tab follows
    other = ben.another_tab()
    expect(other.get_by_role("heading", name="Ben\u2019s tasks")).to_be_visible()
    sign_out(ben.page)
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    ben.page.get_by_label("E-mail").fill(ann.email)
    ben.page.get_by_label("Password").fill(PASSWORD)
    ben.page.get_by_role("button", name="Sign in").click()

    expect_titles(ben.page, "Ann's secret")


def test_a_token_that_expires_unnoticed(signed_up):
    """The clock of the browser has stopped, so that it takes its token for a fresh one."""
    ann = signed_up("Ann")
    page = ann.page
    add(page, "Before")
    said(page, "Added: Before")
    page.clock.set_fixed_time(time.time() * 1000)
    page.get_by_role("checkbox", name="Before").check()  # with the token that is kept from now on
    said(page, "Done: Before")
    page.wait_for_timeout(5000)
    posts: list[Response] = []
    page.on(
        "response", lambda answer: posts.append(answer)
    )  # Playwright marks it, which a method of a list does not allow

    add(page, "After")
    said(page, "Added: After")

    assert [answer.status for answer in posts if answer.request.method == "POST"] == [401, 201]
    assert ann.titles() == ["Before", "After"]


def test_the_api_goes_away_and_comes_back(signed_up, site):
    ann = signed_up("Ann")
    page = ann.page
    with no_api(site):
        add(page, "Buy milk")
        said(page, "The task API does not answer. Trying again…")

    expect(page.get_by_role("status")).to_have_text("Added: Buy milk", timeout=30_000)
    assert ann.titles() == ["Buy milk"]
    expect_titles(page, "Buy milk")


@pytest.mark.parametrize(("lost", "presses"), [("no answer", 1), ("500", 2)])
def test_an_answer_that_is_lost(signed_up, lost, presses):
    """The task was made, and the browser never learned of it: sent again with its key, it is that task."""
    ann = signed_up("Ann")
    page, keys = ann.page, list[str]()

    def lose(route):
        if route.request.method != "POST" or len(keys) == presses:
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        return route.abort() if lost == "no answer" else route.fulfill(status=500, json={"detail": "Lost"})

    page.route("**/tasks", lose)
    with page.expect_response(lambda answer: answer.status == 201) as made:
        add(page, "Buy milk")
        if presses == 2:
            expect(page.get_by_role("alert").filter(has_text="Lost")).to_be_visible()
            add(page, "Buy milk")
    said(page, "Added: Buy milk")

    assert {*keys} == {made.value.request.headers["idempotency-key"]}
    assert ann.titles() == ["Buy milk"]


@pytest.mark.parametrize("scripts", [True, False])
def test_the_servers_own_page(signed_up, scripts):
    ann = signed_up("Ann")
    ann.ask_api(("POST", "/tasks", {"title": "Buy milk", "description": "Two litres"}))
    page = ann.without_scripts() if not scripts else ann.page

    page.goto("/sheet")
    page.get_by_label("New task").fill("Buy bread")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".sheet strong")).to_have_text(["Buy bread", "Buy milk"])
    page.get_by_label("New task").fill("   ")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("textbox", name="New task")).to_have_accessible_description("This field may not be blank.")

    assert ann.titles() == ["Buy milk", "Buy bread"]


def test_delete_my_account(signed_up, site):
    ann = signed_up("Ann")
    page = ann.page
    add(page, "Buy milk")
    said(page, "Added: Buy milk")
    page.get_by_role("link", name="Account").click()
    delete = page.get_by_role("button", name="Delete my account and all my tasks")
    with no_api(site):
        page.get_by_label("Password").fill(PASSWORD)
        delete.click()
        expect(page.locator(".problem")).to_contain_text("your account is still here", timeout=20_000)

    [task] = ann.tasks()
    token = ann.token()
    page.get_by_label("Password").fill(PASSWORD)
    delete.click()
    expect(page.get_by_role("heading", name="Sign up")).to_be_visible()

    still_good = {"Authorization": f"Bearer {token}"}
    assert site.api.request("GET", f"/api/{task['user_id']}/tasks", **still_good).json() == []
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(ann.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".problem")).to_have_text("Invalid email or password")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_its_window(signed_up, tmp_path, width, scheme):
    """Look at the pictures, in pytest's --basetemp, after a change to how things look."""
    ann = signed_up("Ann", width=width, scheme=scheme)
    page, too_wide = ann.page, []
    made = [
        {"title": "W" * 200},
        {"title": "A title of many words, " * 8, "description": "And a description.\n" * 5},
        {"title": "Water the plants", "description": "Two litres"},
        {"title": "Call the bank"},
    ]
    ids = [answer.json()["id"] for answer in ann.ask_api(*(("POST", "/tasks", body) for body in made))]
    ann.ask_api(("PATCH", f"/tasks/{ids[-1]}", {"completed": True}))

    def look(name):
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(name)

    page.reload()
    expect_titles(page, *(body["title"].strip() for body in reversed(made)))
    look("tasks")
    page.get_by_role("button", name="Edit Water the plants").click()
    ann.ask_api(("PUT", f"/tasks/{ids[2]}", {"title": "Water all plants"}))
    page.get_by_label("Title", exact=True).fill("Water no plants")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".conflict")).to_be_visible()
    add(page, "   ")
    expect(page.locator(".problem")).to_be_visible()
    look("conflict")
    page.goto("/sheet")
    look("sheet")
    page.goto("/account")
    look("account")
    page.context.clear_cookies()
    page.goto("/sign-in")
    look("sign-in")

    assert too_wide == []
