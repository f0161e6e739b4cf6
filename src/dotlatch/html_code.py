"""The page that asks for a second factor, for pages.py: first the heading, then the page. Needs no other file."""

code = b'''The code from your phone
{#clock}<p class="problem" role="alert">This device does not know what time it is, so it cannot check codes of a phone.
</p>
{/}<form method="post">{csrf}
<label>Code <input name="code" inputmode="numeric" autocomplete="one-time-code" autofocus></label>
{#trust}<label class="check"><input name="trust" type="checkbox"> Ask for no code here for {trust} days</label>
{/}<details><summary>Your phone is not at hand?</summary>
<label>Recovery code <input name="recovery" autocomplete="off" autocapitalize="characters" spellcheck="false"></label>
</details>
<button>Go on</button>
</form>
<p><a href="{login_url}">Log in as somebody else</a></p>
'''
