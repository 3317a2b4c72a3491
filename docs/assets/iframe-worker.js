// Browsers start no workers for pages that lie on a disk. Search then works in a hidden frame, which is spoken to alike.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.loaded = new Promise((resolve) => this.frame.addEventListener("load", resolve));
      this.frame.addEventListener("said", (event) =>
        this.dispatchEvent(new MessageEvent("message", { data: event.detail })),
      );
      const speak = "self.postMessage = (detail) => frameElement.dispatchEvent(new CustomEvent('said', { detail }))";
      this.frame.srcdoc = `<script>${speak}</script><script src="${new URL(url, location.href)}"></script>`;
      document.body.append(this.frame);
    }

    postMessage(data) {
      this.loaded.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
