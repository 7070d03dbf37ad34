"""With a keyboard alone: no key is swallowed, what is focused is never lost, and the page says which keys there are."""

from __future__ import annotations

import re
from pathlib import Path

from media_samples import tone, write_sound, write_video
from page_samples import OpenPage, Watched
from playwright.sync_api import Page, expect

ASKED = "#/ask?segment=1&by=audio&find=visual"
HITS = ".hits > li"
CHANGED = ("label", "event_start_s", "event_end_s")


def has_nothing(page: Page) -> bool:
    """Say whether the keyboard is nowhere: the next Tab then begins at the top, and a screen reader says nothing."""
    return bool(page.evaluate("document.activeElement === document.body"))


def give_tone(page: Page, directory: Path) -> None:
    """Choose a sound as the question, and wait for its hits."""
    page.locator(".start .drop input").set_input_files(write_sound(directory / "tone.wav", tone(8, 16000), 16000))
    expect(page.locator(HITS).first).to_be_visible()


def test_a_label_is_typed(open_page: OpenPage, live: str) -> None:
    """Letter by letter, with Tab to the next field and Enter to save."""
    page = open_page("#/library")
    before = page.request.get(f"{live}videos?limit=1").json()["videos"][0]
    one = f"{live}videos/{before['video_id']}"
    button = page.locator(".video").first.get_by_role("button", name="Label")
    button.press("Enter")
    label = page.get_by_label("Label", exact=True)
    expect(label).to_be_focused()
    label.clear()
    page.keyboard.type("dog")
    page.keyboard.press("Tab")
    page.keyboard.type("1")
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Label {before['file_name']}")).to_be_focused()
    after = page.request.get(one).json()
    page.request.patch(one, data={name: before[name] for name in CHANGED})  # other tests look at this library
    assert [after[name] for name in CHANGED] == ["dog", 1, 2]


def test_tab_leaves_the_player_of_a_hit(open_page: OpenPage) -> None:
    """It goes through the player's own buttons to the one that closes it, and on."""
    page = open_page(ASKED)
    page.locator(f"{HITS} .shot").first.press("Enter")
    expect(page.locator(".moment :is(video, audio)")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Close the player":
            break
    expect(page.get_by_role("button", name="Close the player")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(f"{HITS} .shot").first).to_be_focused()


def test_what_is_chosen_on_the_map_is_labelled_at_once(open_page: OpenPage) -> None:
    """The label's field has the keyboard, in view; giving up returns it to the name that was pressed."""
    page = open_page("#/map")
    key = page.locator(".legend button").first
    key.press("Enter")
    expect(page.get_by_label("Label", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Choose nothing")).to_be_in_viewport()
    page.get_by_role("button", name="Choose nothing").press("Enter")
    expect(key).to_be_focused()


def test_the_map_says_its_keys(open_page: OpenPage) -> None:
    """Where the plane has the keyboard, the line below it tells keys in place of the mouse."""
    page = open_page("#/map")
    page.locator("canvas.plane").focus()
    expect(page.locator(".map-says")).to_contain_text("Arrow keys")
    page.locator("canvas.plane").blur()
    expect(page.locator(".map-says")).not_to_contain_text("Arrow keys")


def test_a_new_question_has_the_keyboard(open_page: OpenPage, tmp_path: Path) -> None:
    """A file, words and "more like this" open in the same view; Back too."""
    page = open_page("#/ask")
    page.locator(".start .drop input").focus()
    give_tone(page, tmp_path)
    expect(page.locator("main")).to_be_focused()
    page.locator(f"{HITS} a", has_text="alike").first.press("Enter")
    expect(page).to_have_url(re.compile("segment="))
    expect(page.locator(HITS).first).to_be_visible()
    assert not has_nothing(page)
    page.go_back()
    expect(page.locator(HITS).first).to_be_visible()
    assert not has_nothing(page)


def test_the_direction_keeps_the_keyboard(open_page: OpenPage, live: str) -> None:
    """Where in a clip: an arrow key turns the question round, another turns it back."""
    video = open_page().request.get(f"{live}videos?limit=1").json()["videos"][0]["video_id"]
    page = open_page(f"#/localize?video={video}&by=audio")
    hear = page.get_by_label("I hear it: where do I see it?")
    see = page.get_by_label("I see it: where do I hear it?")
    hear.press("ArrowRight")
    expect(page).to_have_url(re.compile("by=visual"))
    expect(see).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("by=audio"))
    expect(hear).to_be_focused()


def test_moving_the_window_is_one_step_back(open_page: OpenPage, tmp_path: Path) -> None:
    """However many keys it took: Back returns to what was asked before."""
    page = open_page("#/ask")
    give_tone(page, tmp_path)
    before = page.url
    window = page.get_by_role("slider", name="The stretch that is asked by")
    for key in ("Shift+ArrowLeft", "Shift+ArrowLeft", "ArrowRight", "ArrowRight"):
        window.press(key)
    expect(window).to_have_attribute("aria-valuetext", "0:02–0:08, 6 seconds")
    page.go_back()
    expect(page).to_have_url(before)


def test_windows_say_that_keys_move_them(open_page: OpenPage, live: str, tmp_path: Path) -> None:
    """For a person who sees it and has no mouse: "drag" alone is of no use to them."""
    page = open_page("#/ask")
    give_tone(page, tmp_path)
    expect(page.get_by_label("The question")).to_contain_text("arrow keys move it, with Shift its end")
    video = page.request.get(f"{live}videos?limit=1").json()["videos"][0]["video_id"]
    page.goto(f"{live}#/localize?video={video}")
    expect(page.locator(".lane-name").first).to_contain_text("arrow keys move it, with Shift its end")


def test_a_filter_taken_away_leaves_the_keyboard_near(open_page: OpenPage) -> None:
    """With the next filter, and after the last one with what follows."""
    page = open_page(f"{ASKED}&name=v&every=1")
    page.get_by_role("button", name="Remove the filter: “v” in the name").press("Enter")
    expect(page.get_by_role("button", name="Remove the filter: all seconds of each video")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Only the best second of each video")).to_be_focused()


def test_a_table_is_taken_away_and_the_menu_has_the_keyboard(open_page: OpenPage) -> None:
    """Escape closes the menu; after the file is saved, how many hits are in it is seen and the menu is closed."""
    page = open_page(ASKED)
    menu = page.locator("details.menu")
    head = menu.locator("summary")
    head.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(head).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    with page.expect_download():
        page.keyboard.press("Enter")
    expect(head).to_be_focused()
    expect(page.get_by_text(re.compile(r"^\d+ hits? written$")).and_(page.locator(":visible")).first).to_be_visible()


def test_an_empty_library_begins_where_a_file_is_chosen(
    empty: str, open_page: OpenPage, watched: Watched, tmp_path: Path
) -> None:
    """The button that offers it leads to the field; what comes after a deletion keeps the keyboard too."""
    watched.origin = empty
    page = open_page(url=empty)
    page.on("filechooser", lambda _: None)  # Chromium is told now: told with the key, it may open its own dialog first
    page.get_by_role("link", name="Add your own footage").press("Enter")
    field = page.locator(".drop input[type=file]")
    expect(field).to_be_focused()
    expect(page.locator(".panel .problem")).to_have_count(0)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([write_video(tmp_path / "one.mp4", 2.0), write_video(tmp_path / "two.mp4", 3.0)])
    expect(page.locator(".video")).to_have_count(2, timeout=60_000)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete one.mp4").press("Enter")
    expect(page.get_by_role("button", name="Delete two.mp4")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search by name")).to_be_focused()
