// Editors and terminals write styles of their own as elements. The page's policy takes those with its nonce, and a library
// that is loaded by a script of ours is trusted as that script is.

/* eslint-disable @typescript-eslint/no-deprecated -- it is the overload for any name that is replaced */
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? '';
const create = document.createElement.bind(document);

document.createElement = (name: string, options?: ElementCreationOptions) => {
  const element = create(name, options);
  if (name.toLowerCase() === 'style') element.nonce = nonce;
  return element;
};

// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with the element it is called on
const set = Element.prototype.setAttribute;

// The policy forbids styles that are written as markup; the same styles set on the element are allowed.
Element.prototype.setAttribute = function (this: Element, name: string, value: string) {
  if (name === 'style' && this instanceof HTMLElement) this.style.cssText = value;
  else set.call(this, name, value);
};

export { nonce };
