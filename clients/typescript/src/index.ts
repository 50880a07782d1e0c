import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

/** A client of the server at an address, such as "http://127.0.0.1:8000". */
export const lantern = (baseUrl: string) => createClient<paths>({ baseUrl });

/** What responses are made of, by the names of the OpenAPI document: Schemas["exports_row"], Schemas["Problem"]. */
export type Schemas = components["schemas"];
